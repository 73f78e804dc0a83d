import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { OwnerCalls } from '../../accounts/owner-calls.ts';
import { PEOPLE_NAMES } from '../../accounts/people-calls.ts';
import { causesOf, messageOf } from '../../errors.ts';
import { CARE_NAMES, CareProblem } from '../../lanes/care-calls.ts';
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
  static async listen(base: string, calls: OwnerCalls, log: Log): Promise<ControlServer> {
    const reasons: string[] = [];
    for (const makeAddress of controlAddresses(base)) {
      const http = createServer((request, response) => void answer(calls, log, request, response));
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

async function answer(calls: OwnerCalls, log: Log, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let told: ControlAnswer;
  try {
    told = { kind: 'result', result: await run(calls, request) };
  } catch (error) {
    if (!(error instanceof CareProblem)) log.error({ err: error, command: request.url }, 'A command failed');
    told = { kind: 'problem', problem: causesOf(error) };
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(told));
}

async function run({ care, people }: OwnerCalls, request: IncomingMessage): Promise<unknown> {
  const careName = CARE_NAMES.find((each) => request.url === `/${each}`);
  const peopleName = PEOPLE_NAMES.find((each) => request.url === `/${each}`);
  const length = Number(request.headers['content-length']);
  if (request.method !== 'POST' || (careName ?? peopleName) === undefined)
    throw new CareProblem('The server does not know this command.');
  if (!(length <= requestBytesMax)) throw new CareProblem('The command is too long.');
  // The program at the other end is this one, in the same version, with the rights of the server.
  const argument = await json(request);
  if (careName !== undefined) return care[careName](argument as never);
  return peopleName && people[peopleName](argument as never);
}
