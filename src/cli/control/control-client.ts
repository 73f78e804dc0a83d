import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { CARE_NAMES, type CareCalls, type CareName, CareProblem } from '../../accounts/care-calls.ts';
import type { ControlAnswer } from './control-server.ts';

/** Nobody listens there: the server is not running. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError';
}

/** The calls, carried out by the server that listens at a path. They throw `NoServerError` when there is none. */
export function careOfServer(socketPath: string): CareCalls {
  const calls = CARE_NAMES.map((name) => [name, (argument: unknown) => ask(socketPath, name, argument)]);
  // Each name is mapped to a function that answers what the server's method of that name answers.
  return Object.fromEntries(calls) as unknown as CareCalls;
}

async function ask(socketPath: string, name: CareName, argument: unknown): Promise<unknown> {
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
