import { once } from 'node:events';
import { read } from 'read';
import { problemOfPassword } from '../../accounts/new-hash.ts';
import { CareProblem } from '../../lanes/care-calls.ts';
import { KiB } from '../../limits.ts';

/** What is read from standard input when it is no terminal, bytes. */
const inputBytesMax = 64 * KiB;

/**
 * A new password: asked for twice without echo at a terminal, one line of standard input otherwise. Never an argument,
 * because everybody on a machine can see those.
 */
export async function readNewPassword(): Promise<string> {
  if (!process.stdin.isTTY) return checked(await readLine());
  const password = checked(await ask('New password:'));
  if ((await ask('The same again:')) === password) return password;
  throw new CareProblem('The two passwords differ. Nothing was changed.');
}

/** One line of standard input, without its end; a terminal is asked for it. */
export async function readLine(prompt = ''): Promise<string> {
  if (process.stdin.isTTY) return ask(prompt, false);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin) {
    pieces.push(Buffer.from(piece));
    bytes += piece.length;
    if (bytes > inputBytesMax) throw new CareProblem(`Standard input is longer than ${inputBytesMax} bytes.`);
  }
  const text = Buffer.concat(pieces)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (/[\r\n]/.test(text)) throw new CareProblem('Standard input has more than one line.');
  return text;
}

function checked(password: string): string {
  const problem = problemOfPassword(password);
  if (problem !== undefined) throw new CareProblem(problem);
  return password;
}

/** Prompts go to standard error, so that standard output holds the result only. */
async function ask(prompt: string, silent = true): Promise<string> {
  const { stdin, stderr, stdout } = process;
  const output = stderr.isTTY ? stderr : stdout;
  // The library waits for a line for ever; without one, by Ctrl+D, it only stops to listen.
  const ended = once(stdin, 'pause').then(() => new Promise<undefined>((resolve) => setImmediate(resolve, undefined)));
  const answer = read({ prompt, silent, input: stdin, output, terminal: true }).catch(() => undefined);
  const text = await Promise.race([answer, ended]);
  if (silent) output.write('\n');
  if (text === undefined) throw new CareProblem('Nothing was changed.');
  return text;
}
