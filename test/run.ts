/**
 * What `npm test` runs: every test file, or those whose path contains one of the texts given.
 *
 *     node test/run.ts [--quick | --long] [part of a path]…
 *
 * `--quick` leaves out what needs released Anki clients or much time, except for files that are asked for; `--long` lets
 * every test take its time. With `CI=true` nothing may be skipped.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { compose, Readable } from 'node:stream';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { RunOutcome } from './run-outcome.ts';

const nodeMajorMin = 26;
/** A test, or a file of tests, that takes longer than this hangs, milliseconds. */
const testMsMax = { quick: 5 * 60_000, normal: 15 * 60_000, long: 6 * 60 * 60_000 };
type Length = keyof typeof testMsMax;

/** Tests that drive released clients, or the official server that comes with them. */
const CLIENT_TESTS = /^test\/(?:real-clients|oracle|backup|safety|monitoring|people|bench|proxies)\//;
const SLOW_TESTS =
  /^test\/(?:real-clients|oracle|backup|safety|monitoring|people|bench|fuzz|memory|packages|proxies)\//;
const QUICK_TESTS = /\.quick\.test\.ts$/;
/** Tests that measure memory or delays and have the machine to themselves. */
const SOLITARY_TESTS = /^test\/memory\/|\.alone\.test\.ts$/;

const ROOT = path.join(import.meta.dirname, '..');
/** Type stripping is most of a test file's start-up, and this remembers its result. */
const COMPILE_CACHE = path.join(ROOT, '.cache/compile');

interface Wish {
  readonly length: Length;
  readonly files: readonly string[];
}

process.chdir(ROOT);
process.exitCode = await main();

async function main(): Promise<number> {
  if (Number.parseInt(process.versions.node, 10) < nodeMajorMin) {
    return fail(
      `The tests need Node ${nodeMajorMin} or newer, this is ${process.version}; \`npm test\` finds the right one.`,
    );
  }
  const wish = readWish(process.argv.slice(2));
  if (typeof wish === 'string') return fail(wish);
  if (wish.files.some((file) => CLIENT_TESTS.test(file))) await prepareClients(wish.length);
  const outcome = new RunOutcome();
  for await (const text of compose(Readable.from(runAll(wish, outcome)), new spec())) process.stdout.write(text);
  return report(outcome);
}

/** The wish of the command line, or what is wrong with it. */
function readWish(args: string[]): Wish | string {
  const options = { quick: { type: 'boolean', default: false }, long: { type: 'boolean', default: false } } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { values, positionals } = parsed;
  if (values.quick && values.long) return '--quick and --long exclude each other.';
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'])
    .map((file) => file.replaceAll(path.sep, '/'))
    .filter((file) => (positionals.length > 0 ? isWanted(file, positionals) : !values.quick || isQuick(file)))
    .sort();
  if (files.length === 0) return `No test file matches ${positionals.join(', ')}.`;
  return { length: values.quick ? 'quick' : values.long ? 'long' : 'normal', files };
}

function isWanted(file: string, parts: readonly string[]): boolean {
  return parts.some((part) => file.includes(path.isAbsolute(part) ? path.relative(ROOT, part) : path.normalize(part)));
}

function isQuick(file: string): boolean {
  return QUICK_TESTS.test(file) || !SLOW_TESTS.test(file);
}

/** Installs the clients once for all test files, which find them there. */
async function prepareClients(length: Length): Promise<void> {
  process.stdout.write('Preparing Anki clients; the first time this takes some minutes.\n');
  const { preparePythonEnvs } = await import('./support/python-envs.ts');
  const { newestClient } = await import('./support/clients.ts');
  await preparePythonEnvs(length === 'quick' ? [newestClient] : undefined);
}

/** The events of all test files: first those that can share the machine, then the others, one at a time. */
async function* runAll({ files, length }: Wish, outcome: RunOutcome): AsyncGenerator<TestEvent> {
  const startedMs = performance.now();
  const isSolitary = (file: string) => SOLITARY_TESTS.test(file);
  const groups = [
    { files: files.filter((file) => !isSolitary(file)), concurrency: availableParallelism() },
    { files: files.filter(isSolitary), concurrency: 1 },
  ];
  const env = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, TEST_LENGTH: length };
  for (const group of groups.filter((each) => each.files.length > 0)) {
    const events: AsyncIterable<TestEvent> = run({ ...group, env, timeout: testMsMax[length], cwd: ROOT });
    for await (const event of events) if (outcome.note(event)) yield event;
  }
  yield* outcome.closingEvents(performance.now() - startedMs);
}

/** Says what was not run. Returns the exit status. */
function report(outcome: RunOutcome): number {
  process.stdout.write('\n');
  const notRun = outcome.notRun.map((test) => `\n  ${test}`).join('');
  if (notRun === '') return outcome.succeeded ? 0 : 1;
  const isForbidden = process.env.CI === 'true';
  process.stdout.write(`Not run${isForbidden ? ', which CI does not accept' : ''}:${notRun}\n`);
  return outcome.succeeded && !isForbidden ? 0 : 1;
}

function fail(message: string): number {
  process.stderr.write(`${message}\n`);
  return 1;
}
