import { parseArgs } from 'node:util';
import { type CareCalls, CareProblem } from '../../accounts/care-calls.ts';
import type { ConfigSurroundings } from '../../config/config.ts';
import { messageOf } from '../../errors.ts';
import { backupCommand } from './backup.ts';
import { backupsCommand } from './backups.ts';
import { restoreCommand } from './restore.ts';
import { trashCommand } from './trash.ts';
import { verifyCommand } from './verify.ts';
import { withCare } from './with-care.ts';

/** One command that works on the data folder, with the server running or not. */
interface Command {
  readonly name: string;
  readonly synopsis: string;
  readonly meaning: string;
  /** How many words may follow. */
  readonly words: { readonly min: number; readonly max: number };
  readonly options: Readonly<Record<string, { readonly type: 'boolean' | 'string' }>>;
  run(care: CareCalls, words: readonly string[], options: Readonly<Record<string, unknown>>): Promise<0 | 1>;
}

export const COMMANDS: readonly Command[] = [
  {
    name: 'backups',
    synopsis: 'backups [user]',
    meaning: 'list backups, with what restoring each would change',
    words: { min: 0, max: 1 },
    options: {},
    run: (care, [user]) => backupsCommand(care, user),
  },
  {
    name: 'backup',
    synopsis: 'backup <user>',
    meaning: 'make a backup now',
    words: { min: 1, max: 1 },
    options: {},
    run: (care, [user = '']) => backupCommand(care, user),
  },
  {
    name: 'restore',
    synopsis: 'restore <user> <backup | latest> [--media]',
    meaning: 'bring a backup back, with --media also the media files of its time; what it replaces is kept',
    words: { min: 2, max: 2 },
    options: { media: { type: 'boolean' } },
    run: (care, [user = '', backup = ''], { media }) => restoreCommand(care, { user, backup, media: media === true }),
  },
  {
    name: 'verify',
    synopsis: 'verify [user] [--repair]',
    meaning: 'check collections, backups and media; exit code 1 if anything is wrong',
    words: { min: 0, max: 1 },
    options: { repair: { type: 'boolean' } },
    run: (care, [user], { repair }) => verifyCommand(care, user, repair === true),
  },
  {
    name: 'trash',
    synopsis: 'trash <user> [--restore <name | time>]',
    meaning: 'list replaced and deleted media files, or bring back one, or all since a time',
    words: { min: 1, max: 1 },
    options: { restore: { type: 'string' } },
    run: (care, [user = ''], { restore }) =>
      trashCommand(care, user, restore === undefined ? undefined : String(restore)),
  },
];

/** Is this the name of a command? */
export function isCommand(word: string | undefined): boolean {
  return COMMANDS.some(({ name }) => name === word);
}

/** Runs the command that the arguments begin with. Returns the exit code; what went wrong stands on standard error. */
export async function runCommand(args: readonly string[], surroundings: ConfigSurroundings): Promise<0 | 1> {
  const command = COMMANDS.find(({ name }) => name === args[0]);
  if (command === undefined) throw new Error(`Not a command: ${args[0]}`);
  let parsed: { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: args.slice(1), options: command.options, allowPositionals: true });
  } catch (error) {
    return refuse(`${messageOf(error)} See anki-sync-server --help.`);
  }
  const { values, positionals } = parsed;
  if (positionals.length < command.words.min || positionals.length > command.words.max) {
    return refuse(`Usage: anki-sync-server ${command.synopsis}`);
  }
  try {
    return await withCare(surroundings, (care) => command.run(care, positionals, values));
  } catch (error) {
    return refuse(error instanceof CareProblem ? error.message : `the command failed: ${messageOf(error)}`);
  }
}

function refuse(text: string): 1 {
  for (const line of text.split('\n')) console.error(`anki-sync-server: ${line}`);
  return 1;
}
