import { parseArgs } from 'node:util';
import type { ConfigSurroundings } from '../../config/config.ts';
import { messageOf } from '../../errors.ts';
import { CareProblem } from '../../lanes/care-calls.ts';
import { backupCommand } from './backup.ts';
import { backupsCommand } from './backups.ts';
import type { Command } from './command.ts';
import { PEOPLE_COMMANDS } from './people-commands.ts';
import { restoreCommand } from './restore.ts';
import { trashCommand } from './trash.ts';
import { verifyCommand } from './verify.ts';
import { ownerAccess } from './with-owner.ts';

export const COMMANDS: readonly Command[] = [
  {
    name: 'backups',
    synopsis: 'backups [user]',
    meaning: 'list backups, with what restoring each would change',
    words: { min: 0, max: 1 },
    options: {},
    run: (owner, [user]) => owner(({ care }) => backupsCommand(care, user)),
  },
  {
    name: 'backup',
    synopsis: 'backup <user>',
    meaning: 'make a backup now',
    words: { min: 1, max: 1 },
    options: {},
    run: (owner, [user = '']) => owner(({ care }) => backupCommand(care, user)),
  },
  {
    name: 'restore',
    synopsis: 'restore <user> <backup | latest> [--media]',
    meaning: 'bring a backup back, with --media also the media files of its time; what it replaces is kept',
    words: { min: 2, max: 2 },
    options: { media: { type: 'boolean' } },
    run: (owner, [user = '', backup = ''], { media }) =>
      owner(({ care }) => restoreCommand(care, { user, backup, media: media === true })),
  },
  {
    name: 'verify',
    synopsis: 'verify [user] [--repair]',
    meaning: 'check collections, backups and media; exit code 1 if anything is wrong',
    words: { min: 0, max: 1 },
    options: { repair: { type: 'boolean' } },
    run: (owner, [user], { repair }) => owner(({ care }) => verifyCommand(care, user, repair === true)),
  },
  {
    name: 'trash',
    synopsis: 'trash <user> [--restore <name | time>]',
    meaning: 'list replaced and deleted media files, or bring back one, or all since a time',
    words: { min: 1, max: 1 },
    options: { restore: { type: 'string' } },
    run: (owner, [user = ''], { restore }) =>
      owner(({ care }) => trashCommand(care, user, restore === undefined ? undefined : String(restore))),
  },
  ...PEOPLE_COMMANDS,
];

/** Does a command begin with this word? */
export function isCommand(word: string | undefined): boolean {
  return COMMANDS.some(({ name }) => name.split(' ')[0] === word);
}

/** Runs the command that the arguments begin with. Returns the exit code; what went wrong stands on standard error. */
export async function runCommand(args: readonly string[], surroundings: ConfigSurroundings): Promise<0 | 1> {
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, at) => args[at] === word));
  if (command === undefined) {
    const near = COMMANDS.filter(({ name }) => name.split(' ')[0] === args[0]);
    return refuse(near.map(({ synopsis }) => `Usage: anki-sync-server ${synopsis}`).join('\n'));
  }
  let parsed: { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({
      args: args.slice(command.name.split(' ').length),
      options: command.options,
      allowPositionals: true,
    });
  } catch (error) {
    return refuse(`${messageOf(error)} See anki-sync-server --help.`);
  }
  const { values, positionals } = parsed;
  if (positionals.length < command.words.min || positionals.length > command.words.max) {
    return refuse(`Usage: anki-sync-server ${command.synopsis}`);
  }
  try {
    return await command.run(ownerAccess(surroundings), positionals, values);
  } catch (error) {
    return refuse(error instanceof CareProblem ? error.message : `the command failed: ${messageOf(error)}`);
  }
}

function refuse(text: string): 1 {
  for (const line of text.split('\n')) console.error(`anki-sync-server: ${line}`);
  return 1;
}
