import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { CARE_NAMES, type CareCalls, CareProblem } from '../../accounts/care-calls.ts';
import { messageOf } from '../../errors.ts';
import { KiB } from '../../limits.ts';
import type { Log } from '../../log.ts';
import { type ControlAddress, controlAddresses, publishAddress, withdrawAddress } from './control-address.ts';

/** One command, bytes. */
const requestBytesMax = 64 * KiB;

/** What a command is answered with. */
export type ControlAnswer =
  | { readonly kind: 'result'; readonly result: unknown }
  /** In words for the person who gave the command. */
  | { readonly kind: 'problem'; readonly problem: string };

/** Lets commands of this machine work while the server runs. Never reachable over a network. */
export class ControlServer {
  readonly #base: string;
  readonly #http: Server;
  readonly #address: ControlAddress;

  /** Listens in the data folder, or where that cannot be, near it. The data folder is ours. */
  static async listen(base: string, care: CareCalls, log: Log): Promise<ControlServer> {
    const reasons: string[] = [];
    for (const makeAddress of controlAddresses(base)) {
      const http = createServer((request, response) => void answer(care, log, request, response));
      let address: ControlAddress | undefined;
      try {
        address = makeAddress();
        http.listen(address.path);
        await once(http, 'listening');
        publishAddress(base, address);
        return new ControlServer(base, http, address);
      } catch (error) {
        http.close();
        if (address !== undefined) withdrawAddress(base, address);
        reasons.push(messageOf(error));
      }
    }
    throw new Error(reasons.join('; '));
  }

  private constructor(base: string, http: Server, address: ControlAddress) {
    this.#base = base;
    this.#http = http;
    this.#address = address;
  }

  /** Takes no more commands. Those that are running are cut off with the process. */
  close(): void {
    this.#http.close();
    withdrawAddress(this.#base, this.#address);
  }
}

async function answer(care: CareCalls, log: Log, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let told: ControlAnswer;
  try {
    told = { kind: 'result', result: await run(care, request) };
  } catch (error) {
    if (!(error instanceof CareProblem)) log.error({ err: error, command: request.url }, 'A command failed');
    told = { kind: 'problem', problem: messageOf(error) };
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(told));
}

async function run(care: CareCalls, request: IncomingMessage): Promise<unknown> {
  const name = CARE_NAMES.find((each) => request.url === `/${each}`);
  const length = Number(request.headers['content-length']);
  if (request.method !== 'POST' || name === undefined) throw new CareProblem('The server does not know this command.');
  if (!(length <= requestBytesMax)) throw new CareProblem('The command is too long.');
  // The program at the other end is this one, in the same version, with the rights of the server.
  const argument = await json(request);
  return care[name](argument as never);
}
