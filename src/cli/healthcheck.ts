import { type ClientRequest, get, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getOverTls } from 'node:https';
import { readAddress } from '../config/address-settings.ts';
import { readListeners } from '../config/listen-settings.ts';
import type { Environment } from '../config/setting.ts';
import { readTlsFiles } from '../config/tls-settings.ts';
import { messageOf } from '../errors.ts';
import { type ListenAddress, listenText } from '../transport/listen-address.ts';

const answerMsMax = 5000;

/**
 * Asks the server of the same settings whether it lives, in every place where it listens; for container platforms. Reads
 * the settings of addresses only, prints nothing when all is well, returns the exit code.
 */
export async function healthcheck(env: Environment): Promise<0 | 1> {
  const problems: string[] = [];
  const own = readAddress(env, problems);
  const hasCertificate = readTlsFiles(env, problems) !== undefined;
  const listeners = readListeners(env, { own, hasCertificate, pid: process.pid }, problems);
  if (listeners.some((each) => each.kind === 'tcp' && each.port === 0)) {
    problems.push('SYNC_PORT: the health check cannot know which free port the server found.');
  }
  const complaints = problems.length > 0 ? problems.slice(0, 1) : await Promise.all(listeners.map(complaintOf));
  const told = complaints.filter((complaint) => complaint !== undefined);
  for (const complaint of told) console.error(complaint);
  return told.length === 0 ? 0 : 1;
}

async function complaintOf(address: ListenAddress): Promise<string | undefined> {
  try {
    const status = await statusOf(address);
    return status === 200 ? undefined : `The server answers ${status} at ${listenText(address)}.`;
  } catch (error) {
    return `The server does not answer at ${listenText(address)}: ${messageOf(error)}`;
  }
}

/** `0.0.0.0` is where a server listens, not where it can be asked. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function targetOf(address: ListenAddress): RequestOptions {
  switch (address.kind) {
    case 'tcp':
      return { host: reachable(address.host), port: address.port };
    case 'unix':
      return { socketPath: address.path };
    case 'passed': // Meant for another process than this one, and so never among the addresses.
      return {};
    default:
      return address satisfies never;
  }
}

function statusOf(address: ListenAddress): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { ...targetOf(address), path: '/health', timeout: answerMsMax, agent: false };
    const take = (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode);
    };
    // The certificate is for names, and this is asked by number: whether it is good is not the question here.
    const request: ClientRequest = address.tls
      ? getOverTls({ ...options, rejectUnauthorized: false }, take)
      : get(options, take);
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
  });
}
