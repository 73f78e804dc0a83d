import { get } from 'node:http';
import { readAddress } from '../config/address-settings.ts';
import type { Environment } from '../config/setting.ts';

const answerMsMax = 5000;

/**
 * Asks the server of the same settings whether it lives; for container platforms. Reads `SYNC_HOST` and `SYNC_PORT`
 * only, prints nothing when all is well, returns the exit code.
 */
export async function healthcheck(env: Environment): Promise<0 | 1> {
  const problems: string[] = [];
  const { host, port } = readAddress(env, problems);
  if (problems.length > 0 || port === 0) {
    console.error(problems[0] ?? 'SYNC_PORT: the health check cannot know which free port the server found.');
    return 1;
  }
  try {
    const status = await statusOf(reachable(host), port);
    if (status === 200) return 0;
    console.error(`The server answers ${status} on port ${port}.`);
  } catch (error) {
    console.error(`The server does not answer on port ${port}: ${error instanceof Error ? error.message : error}`);
  }
  return 1;
}

/** `0.0.0.0` is where a server listens, not where it can be asked. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function statusOf(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path: '/health', timeout: answerMsMax, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
  });
}
