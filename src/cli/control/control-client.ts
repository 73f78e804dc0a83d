import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { OwnerCalls } from '../../accounts/owner-calls.ts';
import { PEOPLE_NAMES } from '../../accounts/people-calls.ts';
import { CARE_NAMES, CareProblem } from '../../lanes/care-calls.ts';
import type { ControlAnswer } from './control-server.ts';

/** Nobody listens there: the server is not running. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError';
}

/** The calls, carried out by the server that listens at a path. They throw `NoServerError` when there is none. */
export function callsOfServer(socketPath: string): OwnerCalls {
  const calls = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, (argument: unknown) => ask(socketPath, name, argument)]));
  // Each name is mapped to a function that answers what the server's method of that name answers.
  return { care: calls(CARE_NAMES), people: calls(PEOPLE_NAMES) } as unknown as OwnerCalls;
}

async function ask(socketPath: string, name: string, argument: unknown): Promise<unknown> {
  const body = Buffer.from(JSON.stringify(argument));
  const answer = await new Promise<ControlAnswer>((resolve, reject) => {
    const sent = request(
      { socketPath, path: `/${name}`, method: 'POST', agent: false, headers: { 'content-length': body.length } },
      (response) => void json(response).then((value) => resolve(value as ControlAnswer), reject),
    );
    sent.on('error', (error: NodeJS.ErrnoException) => reject(isNobody(error) ? new NoServerError() : error));
    sent.end(body);
  });
  if (answer.kind === 'problem') throw new CareProblem(answer.problem);
  return answer.result;
}

/** The socket is not there, or nobody has it open. */
function isNobody({ code, syscall }: NodeJS.ErrnoException): boolean {
  return syscall === 'connect' && (code === 'ENOENT' || code === 'ECONNREFUSED');
}
