import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const PASSING = `import { test } from 'node:test'; test('fine', () => {});`;
const FAILING = `import { test } from 'node:test'; test('broken', () => { throw new Error('no'); });`;
const SKIPPING = `import { test } from 'node:test'; test('left out', { skip: 'no Python' }, () => {});`;
const TELLING = `import { test } from 'node:test'; test(\`length \${process.env.TEST_LENGTH}\`, () => {});`;
const PREPARING = `export async function preparePythonEnvs(versions) { console.log('prepared', versions ?? 'all'); }`;

/** A project with these test files. Runs them as \`npm test\` would. */
async function project(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(path.join(tmpdir(), 'runner-'));
  const all = {
    'package.json': '{ "type": "module" }',
    'test/support/python-envs.ts': PREPARING,
    'test/support/clients.ts': `export const newestClient = 'newest';`,
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
  for (const file of ['run.ts', 'run-outcome.ts']) {
    await cp(path.join(import.meta.dirname, file), path.join(root, 'test', file));
  }
  return {
    run(args: readonly string[] = [], CI = 'false') {
      // Without NODE_TEST_CONTEXT, which would make the inner runner a part of this one.
      const env = { PATH: process.env.PATH, CI };
      const ran = spawnSync(process.execPath, [path.join(root, 'test/run.ts'), ...args], { env, encoding: 'utf8' });
      return { status: ran.status, text: `${ran.stdout}${ran.stderr}` };
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

test('tests that pass are counted together, whatever folder they are in', async () => {
  await using folder = await project({ 'src/a.test.ts': PASSING, 'test/memory/b.test.ts': PASSING });
  const { status, text } = folder.run();
  assert.equal(status, 0, text);
  assert.match(text, /^ℹ tests 2\nℹ suites 0\nℹ pass 2\nℹ fail 0\n/m);
  assert.equal(text.split('ℹ tests').length, 2, 'one set of totals');
});

test('a test that fails fails the run, in whichever part of it', async () => {
  await using folder = await project({ 'src/a.test.ts': FAILING, 'test/memory/b.test.ts': PASSING });
  const { status, text } = folder.run();
  assert.equal(status, 1);
  assert.match(text, /^ℹ fail 1$/m);
  assert.match(text, /failing tests:[\s\S]*broken/);
});

test('a file that cannot be loaded fails the run', async () => {
  await using folder = await project({ 'src/a.test.ts': `import './gone.ts';`, 'src/b.test.ts': PASSING });
  assert.equal(folder.run().status, 1);
});

test('what was skipped is said aloud, and in CI it is a failure', async () => {
  await using folder = await project({ 'src/a.test.ts': PASSING, 'src/b.test.ts': SKIPPING });
  const aside = folder.run();
  assert.equal(aside.status, 0);
  assert.match(aside.text, /Not run:\n {2}src\/b\.test\.ts: left out \(no Python\)\n$/);
  const inCi = folder.run([], 'true');
  assert.equal(inCi.status, 1);
  assert.match(inCi.text, /Not run, which CI does not accept:\n/);
});

test('a quick run leaves out clients and measurements, unless they are asked for', async () => {
  await using folder = await project({
    'src/a.test.ts': TELLING,
    'test/real-clients/b.test.ts': PASSING,
    'test/real-clients/c.quick.test.ts': PASSING,
    'test/memory/d.test.ts': FAILING,
  });
  const quick = folder.run(['--quick']);
  assert.equal(quick.status, 0, quick.text);
  assert.match(quick.text, /length quick/);
  assert.match(quick.text, /^ℹ tests 2$/m);
  const asked = folder.run(['--quick', 'real-clients/b']);
  assert.match(asked.text, /^prepared \[ 'newest' \]$/m);
  assert.match(asked.text, /^ℹ tests 1$/m);
});

test('clients are prepared when a test needs them, and all of them for a whole run', async () => {
  await using folder = await project({ 'src/a.test.ts': TELLING, 'test/real-clients/b.test.ts': PASSING });
  assert.doesNotMatch(folder.run(['src/']).text, /prepared/);
  const long = folder.run(['--long']);
  assert.match(long.text, /^prepared all$/m);
  assert.match(long.text, /length long/);
});

test('a run without any test is no success', async () => {
  await using folder = await project({ 'src/a.test.ts': SKIPPING });
  assert.equal(folder.run(['src/a']).status, 1);
  assert.deepEqual(folder.run(['src/typo']), { status: 1, text: 'No test file matches src/typo.\n' });
  assert.deepEqual(folder.run(['--fast']).status, 1);
});
