import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Accounts } from '../accounts/accounts.ts';
import type { CareCalls } from '../accounts/care-calls.ts';
import { claimDataFolder } from '../accounts/data-folder.ts';
import type { Dispatcher } from '../accounts/dispatcher.ts';
import { type Config, type ConfigReading, type ConfigSurroundings, readConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import { shutdownMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import { HttpServer } from '../transport/http-server.ts';
import { clientAddresses } from './addresses.ts';
import { ControlServer } from './control/control-server.ts';
import { textLog } from './text-log.ts';

/** What makes the part that answers messages; another one in tests. */
export type DispatcherFactory = (settings: {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly log: Log;
}) => ControlledDispatcher | Promise<ControlledDispatcher>;

/** A dispatcher that may also do what the owner of the server asks for. */
export type ControlledDispatcher = Dispatcher & { readonly care?: CareCalls };

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Lets running requests finish for a while, rolls open syncs back and gives the data folder free. Call it once. */
  stop(): Promise<void>;
}

/** Settings or surroundings under which the server cannot run; each line names a variable and the remedy. */
export class CannotStartError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'CannotStartError';
    this.problems = problems;
  }
}

/** Of the time for a stop, this part belongs to running requests, the rest to checking collections in. */
const requestShare = 0.6;

/** Runs the server until a signal stops it. Returns the exit code. */
export async function serveUntilSignal(
  version: string,
  surroundings: ConfigSurroundings,
  createDispatcher: DispatcherFactory,
): Promise<0 | 1> {
  process.stdout.on('error', () => {}); // Whoever read the log is gone; that is no reason to stop syncing.
  try {
    const { config, warnings } = readOrRefuse(surroundings);
    const log = textLog(config.logLevel, process.stdout);
    for (const warning of warnings) log.warn({}, warning);
    dieOfBugs(log);
    const server = await startServer(config, log, createDispatcher);
    process.stdout.write(announcement(version, config, server.port));
    const signal = await nextSignal();
    log.info({ signal }, 'stopping');
    process.once('SIGINT', () => process.exit(1)).once('SIGTERM', () => process.exit(1));
    await server.stop();
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    if (!(error instanceof CannotStartError)) throw error;
    for (const problem of error.problems) console.error(`anki-sync-server cannot start: ${problem}`);
    return 1;
  }
}

/** Builds everything once. Throws `CannotStartError`; then nothing runs and the data folder is free. */
export async function startServer(
  config: Config,
  log: Log,
  createDispatcher: DispatcherFactory,
): Promise<RunningServer> {
  const claim = claimDataFolder(config.base, config.users);
  if (claim.kind === 'problems') throw new CannotStartError(claim.problems);
  const { spool, lock } = claim.folder;
  const accounts = new Accounts(config.users, config.base);
  const dispatcher = await createDispatcher({ config, accounts, log });
  const http = new HttpServer({ ...config, accounts, dispatcher, log, spoolFolder: spool });
  try {
    const port = await http.listen({ host: config.host, port: config.port });
    log.info({ addr: `${config.host}:${port}`, users: config.users.length, base: config.base }, 'listening');
    const control = await listenForCommands(config.base, dispatcher.care, log);
    return { port, stop: () => stopAll({ http, dispatcher, control, log }).finally(() => lock.release()) };
  } catch (error) {
    await dispatcher.close();
    lock.release();
    throw new CannotStartError([listenProblem(config, error)]);
  }
}

/** Syncs are worth more than commands: without a place for those the server runs all the same. */
async function listenForCommands(
  base: string,
  care: CareCalls | undefined,
  log: Log,
): Promise<ControlServer | undefined> {
  try {
    return care && (await ControlServer.listen(base, care, log));
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'cannot listen for commands; they only work while the server is stopped');
    return undefined;
  }
}

/** Order matters: nothing is dispatched any more when collections are checked in. */
async function stopAll(parts: {
  readonly http: HttpServer;
  readonly dispatcher: Dispatcher;
  readonly control: ControlServer | undefined;
  readonly log: Log;
}): Promise<void> {
  parts.control?.close();
  const endsMs = performance.now() + shutdownMsMax;
  await parts.http.close(shutdownMsMax * requestShare);
  const closed = parts.dispatcher.close().then(() => true);
  const isClosed = await Promise.race([closed, delay(endsMs - performance.now(), false, { ref: false })]);
  // Every state on the disk is one that the next start understands, so there is nothing to wait for.
  if (!isClosed) parts.log.warn({}, 'collections are still being checked in; the next start completes that');
}

function readOrRefuse(surroundings: ConfigSurroundings): Extract<ConfigReading, { kind: 'config' }> {
  const reading = readConfig(surroundings);
  if (reading.kind === 'problems') throw new CannotStartError(reading.problems);
  return reading;
}

function listenProblem(config: Config, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return `SYNC_PORT: port ${config.port} is in use on ${config.host}. Stop the other program, or use another port.`;
    case 'EACCES':
      return `SYNC_PORT: port ${config.port} is not allowed for this account. Use one from 1024 on.`;
    case 'EADDRNOTAVAIL':
      return `SYNC_HOST: ${config.host} is not an address of this computer. Use 0.0.0.0 for all networks.`;
    default:
      return `SYNC_HOST, SYNC_PORT: cannot listen on ${config.host}:${config.port}: ${messageOf(error)}`;
  }
}

function announcement(version: string, config: Config, port: number): string {
  const addresses = clientAddresses(config.host, port, networkInterfaces());
  const users = config.users.length === 1 ? '1 user' : `${config.users.length} users`;
  return `anki-sync-server ${version}: ${users}, data in ${config.base}
Type one of these addresses into Anki, at Preferences > Syncing > Self-hosted sync server:
${addresses.map(({ url, isLocal }) => `  ${url}${isLocal ? '  (only on this computer)' : ''}\n`).join('')}`;
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

/** After an error that nobody expected no state can be trusted; what is on the disk is safe at any moment. */
function dieOfBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'stopped by an unexpected error');
    process.exit(1);
  });
}
