import { setTimeout as delay } from 'node:timers/promises';
import { Accounts } from '../accounts/accounts.ts';
import { claimDataFolder, hasAccountsFile } from '../accounts/data-folder.ts';
import type { OwnerCalls } from '../accounts/owner-calls.ts';
import { People } from '../accounts/people.ts';
import { type Config, type ConfigReading, type ConfigSurroundings, readConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { CareCalls } from '../lanes/care-calls.ts';
import type { Dispatcher } from '../lanes/dispatcher.ts';
import type { SyncEnding } from '../lanes/sync-ending.ts';
import { shutdownMsMax } from '../limits.ts';
import type { Log } from '../log.ts';
import type { MonitoredParts, Monitoring } from '../monitoring/monitoring.ts';
import { HttpServer } from '../transport/http-server.ts';
import { type BoundAddress, boundText } from '../transport/listen-address.ts';
import type { ProbeServer } from '../transport/probe-server.ts';
import type { TellWorkEvent } from '../worker/work-event.ts';
import { announcement, listenProblem } from './announcement.ts';
import { ControlServer } from './control/control-server.ts';
import { LineBuffer } from './logging/line-buffer.ts';
import { processLog } from './logging/process-log.ts';
import { monitor, openProbeListener, ProbeListenerError, publicProbes, startMonitoring } from './monitor.ts';
import { openTls } from './tls.ts';

/** What makes the part that answers messages; another one in tests. */
export type DispatcherFactory = (settings: {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly log: Log;
  /** Hears what happens beside the answers. */
  readonly tell: TellWorkEvent;
}) => ControlledDispatcher | Promise<ControlledDispatcher>;

/** A dispatcher that may also do what the owner of the server asks for. */
export type ControlledDispatcher = Dispatcher & { readonly care?: CareCalls; readonly ending?: SyncEnding } & Partial<
    Pick<MonitoredParts, 'state' | 'mediaTotals'>
  >;

/** A server that listens. */
export interface RunningServer {
  /** Of the first TCP listener; 0 without any. */
  readonly port: number;
  /** How many users there were at the start. */
  readonly users: number;
  /** Everywhere it listens, with the ports that it got. */
  readonly bound: readonly BoundAddress[];
  /** Names of the certificate that is used for TLS. */
  readonly certificateNames: readonly string[];
  /** Reads the certificate again. */
  reload(): void;
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

/** The first requests of those who wait for the server have been answered by then, milliseconds. */
const startSettledMs = 100;

/** Runs the server until a signal stops it. Returns the exit code. */
export async function serveUntilSignal(
  version: string,
  surroundings: ConfigSurroundings,
  createDispatcher: DispatcherFactory,
): Promise<0 | 1> {
  process.stdout.on('error', () => {}); // Whoever read the log is gone; that is no reason to stop syncing.
  try {
    const { config, warnings } = readOrRefuse(surroundings);
    const sink = new LineBuffer(process.stdout);
    process.on('exit', () => sink.flush());
    const log = processLog({ level: config.logLevel, format: config.logFormat, sink });
    for (const warning of warnings) log.warn({}, warning);
    dieOfBugs(log);
    const server = await startServer(config, log, createDispatcher);
    // Programs read it from the entry "listening".
    if (config.logFormat === 'text') sink.write(announcement(version, { ...server, base: config.base }));
    setTimeout(collectGarbageOfStart, startSettledMs).unref();
    // Without a certificate there is nothing to read again, and the end of a terminal ends the server.
    if (config.tlsFiles !== undefined) process.on('SIGHUP', () => server.reload());
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

/** V8 would do it as soon as there is much to do, in the middle of the first full sync, with everybody waiting. */
function collectGarbageOfStart(): void {
  globalThis.gc?.();
}

/** Builds everything once. Throws `CannotStartError`; then nothing runs and the data folder is free. */
export async function startServer(
  config: Config,
  plainLog: Log,
  createDispatcher: DispatcherFactory,
): Promise<RunningServer> {
  const monitoring = await startMonitoring(config.metrics, plainLog);
  const { log, tell, observeRequest } = monitoring;
  const tls = openTls(config, log);
  if ('problem' in tls) throw new CannotStartError([tls.problem]);
  if (config.users.length === 0 && !hasAccountsFile(config.base)) throw new CannotStartError([nobodyText(config.base)]);
  const claim = claimDataFolder(config.base, config.users);
  if (claim.kind === 'problems') throw new CannotStartError(claim.problems);
  const { spool, lock, store } = claim.folder;
  const accounts = new Accounts(config.users, config.base, { store, deviceKeys: config.deviceKeys, log });
  const release = (): void => {
    accounts.close();
    store.close();
    lock.release();
  };
  if (accounts.people().length === 0) {
    release();
    throw new CannotStartError([nobodyText(config.base)]);
  }
  const dispatcher = await createDispatcher({ config, accounts, log, tell });
  monitor(monitoring, { accounts, dispatcher, folder: spool });
  const shared = { ...config, accounts, dispatcher, log, spoolFolder: spool, tls: tls.keeper };
  const http = new HttpServer({ ...shared, observeRequest, probes: publicProbes(config.metrics, monitoring) });
  let probes: ProbeServer | undefined;
  try {
    probes = await openProbeListener(config.metrics, monitoring, log);
    const bound = await http.open(config.listen);
    log.info(
      { addr: bound.map(boundText).join(', '), users: accounts.people().length, base: config.base },
      'listening',
    );
    const { care, ending } = dispatcher;
    const people = ending && new People({ base: config.base, accounts, store, syncs: ending, log });
    const control = await listenForCommands(config.base, care && people && { care, people }, log);
    return {
      port: bound.find((each) => each.kind === 'tcp')?.port ?? 0,
      users: accounts.people().length,
      bound,
      certificateNames: tls.keeper?.identity.names ?? [],
      reload: () => tls.keeper?.reload(),
      stop: () => stopAll({ http, dispatcher, control, log, monitoring, probes }).finally(release),
    };
  } catch (error) {
    await dispatcher.close();
    await probes?.close();
    monitoring.close();
    release();
    throw new CannotStartError([error instanceof ProbeListenerError ? error.message : listenProblem(config, error)]);
  }
}

/** Syncs are worth more than commands: without a place for those the server runs all the same. */
async function listenForCommands(
  base: string,
  calls: OwnerCalls | undefined,
  log: Log,
): Promise<ControlServer | undefined> {
  try {
    return calls && (await ControlServer.listen(base, calls, log));
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'Cannot listen for commands; they only work while the server is stopped');
    return undefined;
  }
}

/** Order matters: nothing is dispatched any more when collections are checked in. */
async function stopAll(parts: {
  readonly http: HttpServer;
  readonly dispatcher: Dispatcher;
  readonly control: ControlServer | undefined;
  readonly log: Log;
  readonly monitoring: Monitoring;
  readonly probes: ProbeServer | undefined;
}): Promise<void> {
  parts.monitoring.stopping();
  parts.control?.close();
  const endsMs = performance.now() + shutdownMsMax;
  await parts.http.close(shutdownMsMax * requestShare);
  const closed = parts.dispatcher.close().then(() => true);
  const isClosed = await Promise.race([closed, delay(endsMs - performance.now(), false, { ref: false })]);
  // Every state on the disk is one that the next start understands, so there is nothing to wait for.
  if (!isClosed) parts.log.warn({}, 'Collections are still being checked in; the next start completes that');
  parts.monitoring.close();
  await parts.probes?.close();
}

function nobodyText(base: string): string {
  return `SYNC_USER1 is not set, and there are no users in ${base}. Set it to a name and a password, as in ann:secret, or make a user: anki-sync-server user add ann.`;
}

function readOrRefuse(surroundings: ConfigSurroundings): Extract<ConfigReading, { kind: 'config' }> {
  const reading = readConfig(surroundings);
  if (reading.kind === 'problems') throw new CannotStartError(reading.problems);
  return reading;
}

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

/** After an error that nobody expected no state can be trusted; what is on the disk is safe at any moment. */
function dieOfBugs(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'Stopped by an unexpected error; please report it');
    process.exit(1);
  });
}
