import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { doctorHelp } from '../../src/cli/doctor/doctor.ts';

/** What pages tell of a command. */
export interface DocumentedCommand {
  /** One word, or two. */
  readonly name: string;
  readonly synopsis: string;
  readonly meaning: string;
  /** Without the hyphens. */
  readonly options: readonly string[];
}

/** Every command, in the order of `--help`. */
export const ALL_COMMANDS: readonly DocumentedCommand[] = [
  ...COMMANDS.map((command) => ({ ...command, options: Object.keys(command.options) })),
  {
    ...doctorHelp,
    name: 'doctor',
    options: [...doctorHelp.synopsis.matchAll(/--([\w-]+)/g)].map(([, option = '']) => option),
  },
];
