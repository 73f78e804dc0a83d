import type { Accounts } from '../accounts/accounts.ts';
import type { MetricsSettings } from '../config/metrics-settings.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type MonitoredParts, Monitoring } from '../monitoring/monitoring.ts';
import { ProbeServer } from '../transport/probe-server.ts';
import type { Probes } from '../transport/probes.ts';
import { packageVersion } from './version.ts';

/** The listener for monitoring cannot be opened; the message names the variable and the remedy. */
export class ProbeListenerError extends Error {
  override readonly name = 'ProbeListenerError';
}

/** Follows the server from its start on; measures only if somebody may ask for it. */
export function startMonitoring(settings: MetricsSettings, log: Log): Promise<Monitoring> {
  return Monitoring.start({ wantsMetrics: settings.kind !== 'off', version: packageVersion(), log });
}

/** Gives the monitoring what it looks at; a dispatcher in a test may have nothing to show. */
export function monitor(
  monitoring: Monitoring,
  parts: {
    readonly accounts: Accounts;
    readonly dispatcher: Partial<Pick<MonitoredParts, 'state' | 'mediaTotals'>>;
    readonly folder: string;
  },
): void {
  const { accounts, dispatcher, folder } = parts;
  const idle = { activeLanes: 0, waitingMessages: 0, longestMs: 0, heavyJobs: 0, threads: [] };
  monitoring.watch({
    folder,
    state: async (answerMsMax) => dispatcher.state?.(answerMsMax) ?? idle,
    mediaTotals: async (user) => dispatcher.mediaTotals?.(user) ?? { files: 0, bytes: 0 },
    users: () => accounts.people().map(({ account }) => account.folder),
  });
}

/** What the address of the clients tells of the server: metrics only to who has the token. */
export function publicProbes(settings: MetricsSettings, monitoring: Monitoring): Probes {
  const problems = () => monitoring.problems();
  if (settings.kind !== 'token' || monitoring.metrics === undefined) return { problems, metrics: undefined };
  return { problems, metrics: { ...monitoring.metrics, token: settings.token } };
}

/** Opens the listener for monitoring, if there is to be one. Throws `ProbeListenerError`. */
export async function openProbeListener(
  settings: MetricsSettings,
  monitoring: Monitoring,
  log: Log,
): Promise<ProbeServer | undefined> {
  if (settings.kind !== 'listener' || monitoring.metrics === undefined) return undefined;
  const { host, port, token } = settings;
  const metrics = { ...monitoring.metrics, token };
  const server = new ProbeServer({ problems: () => monitoring.problems(), metrics }, log);
  try {
    const bound = await server.listen({ host, port });
    log.info({ addr: `${host}:${bound}` }, 'Metrics can be read at /metrics');
    return server;
  } catch (error) {
    await server.close();
    const remedy = 'Use another port, or an address of this computer in SYNC_METRICS_HOST';
    throw new ProbeListenerError(
      `SYNC_METRICS_PORT: cannot listen on ${host}:${port}: ${messageOf(error)}. ${remedy}.`,
    );
  }
}
