import { parseArgs } from 'node:util';
import { type ConfigSurroundings, SETTINGS } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { COMMANDS, isCommand, runCommand } from './commands/commands.ts';
import { doctorCommand, doctorHelp } from './doctor/doctor.ts';
import { healthcheck } from './healthcheck.ts';
import { type DispatcherFactory, serveUntilSignal } from './serve.ts';
import { packageVersion } from './version.ts';

/** Runs what the arguments ask for. Returns the exit code. */
export async function runCommandLine(
  args: readonly string[],
  surroundings: ConfigSurroundings,
  createDispatcher: DispatcherFactory,
): Promise<number> {
  if (args[0] === 'doctor') return doctorCommand(args.slice(1), surroundings);
  if (isCommand(args[0])) return runCommand(args, surroundings);
  const wanted = readArguments(args);
  switch (wanted) {
    case 'help':
      console.log(helpText());
      return 0;
    case 'version':
      console.log(packageVersion());
      return 0;
    case 'healthcheck':
      return healthcheck(surroundings.env);
    case 'serve':
      return serveUntilSignal(packageVersion(), surroundings, createDispatcher);
    default:
      console.error(`anki-sync-server: ${wanted.problem} See anki-sync-server --help.`);
      return 1;
  }
}

type Wanted = 'serve' | 'help' | 'version' | 'healthcheck' | { readonly problem: string };

function readArguments(args: readonly string[]): Wanted {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
        healthcheck: { type: 'boolean' },
      },
    });
    if (values.help) return 'help';
    if (values.version) return 'version';
    return values.healthcheck ? 'healthcheck' : 'serve';
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

function helpText(): string {
  const settings = SETTINGS.map(
    ({ name, byDefault, meaning }) => `  ${name}  (default: ${byDefault})\n      ${meaning}`,
  );
  const commands = [...COMMANDS, doctorHelp].map(({ synopsis, meaning }) => `  ${synopsis}\n      ${meaning}`);
  return `Usage: anki-sync-server [--healthcheck | --version | --help]
       anki-sync-server <command>

Runs a sync server for Anki in the foreground, until SIGINT or SIGTERM.

  --healthcheck  ask the server with the same settings whether it lives; exit code 0 or 1
  --version      print the version
  --help         print this

Commands, which work while the server runs and while it does not, on the data folder of the same SYNC_BASE:

${commands.join('\n')}

Settings are environment variables:

${settings.join('\n')}`;
}
