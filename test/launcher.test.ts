import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
/** Says who it is, then waits to be stopped. */
const MAIN = `
  const names: readonly string[] = process.argv.slice(2);
  const awake = setInterval(() => {}, 1000);
  process.on('SIGTERM', () => { clearInterval(awake); process.exitCode = 7; });
  console.log(JSON.stringify({ pid: process.pid, version: process.version, names }));
`;

/** A folder like a checkout, its name with a blank on purpose, without what compiles. */
async function checkout() {
  const root = await mkdtemp(path.join(tmpdir(), 'launcher of anki '));
  await cp(path.join(ROOT, 'bin'), path.join(root, 'bin'), { recursive: true });
  await mkdir(path.join(root, 'src'));
  await writeFile(path.join(root, 'package.json'), '{ "type": "module" }');
  await writeFile(path.join(root, 'src/main.ts'), MAIN);
  await mkdir(path.join(root, 'node_modules/.bin'), { recursive: true });
  return {
    root,
    installNode: () => symlink(process.execPath, path.join(root, 'node_modules/.bin/node')),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

/** A folder for PATH in which \`node\` says that it is of this version. */
async function pathWithNode(root: string, version: string): Promise<string> {
  const folder = path.join(root, `path-${version}`);
  await mkdir(folder);
  await writeFile(path.join(folder, 'node'), `#!/bin/sh\necho ${version}\n`);
  await chmod(path.join(folder, 'node'), 0o755);
  return `${folder}:/usr/bin:/bin`;
}

function launch(file: string, names: string[], PATH: string): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(file, names, { env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function firstLine(stream: Readable): Promise<unknown> {
  const [chunk] = await once(stream.setEncoding('utf8'), 'data');
  return JSON.parse(String(chunk));
}

test('the launcher becomes the server: one process, signalled directly, whose exit status is passed on', async () => {
  await using folder = await checkout();
  await folder.installNode();
  const link = path.join(folder.root, 'link');
  await symlink('bin/anki-sync-server', link);
  const old = await pathWithNode(folder.root, 'v20.20.2');
  for (const file of [path.join(folder.root, 'bin/anki-sync-server'), link]) {
    const server = launch(file, ['user-add', 'a b'], old);
    const said = await firstLine(server.stdout);
    assert.deepEqual(said, { pid: server.pid, version: process.version, names: ['user-add', 'a b'] });
    server.kill('SIGTERM');
    assert.deepEqual(await once(server, 'exit'), [7, null]);
  }
});

test('without a Node of its own the launcher takes the one on the PATH', async () => {
  await using folder = await checkout();
  const server = launch(
    path.join(folder.root, 'bin/anki-sync-server'),
    [],
    `${path.dirname(process.execPath)}:/usr/bin:/bin`,
  );
  assert.deepEqual(await firstLine(server.stdout), { pid: server.pid, version: process.version, names: [] });
  server.kill('SIGTERM');
  assert.deepEqual(await once(server, 'exit'), [7, null]);
});

test('where every Node is too old the launcher says so in one line and fails', async () => {
  await using folder = await checkout();
  const server = launch(
    path.join(folder.root, 'bin/anki-sync-server'),
    [],
    await pathWithNode(folder.root, 'v20.20.2'),
  );
  const [said, [status]] = await Promise.all([text(server.stderr), once(server, 'exit')]);
  assert.match(said, /^anki-sync-server needs Node 26 or newer \(found: v20\.20\.2\)\..*npm ci.*\n$/);
  assert.equal(status, 1);
});

/** Says how it runs. */
const TELLING_MAIN = (text: string): string => `
  const said: string = ${JSON.stringify(text)};
  console.log(JSON.stringify({ said, isCompiled: import.meta.url.endsWith('.js') }));
`;

/** Makes it a checkout that can compile its `src/main.ts`. */
async function addCompiler(root: string): Promise<void> {
  await rm(path.join(root, 'node_modules'), { recursive: true });
  await symlink(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
  await cp(path.join(ROOT, 'scripts'), path.join(root, 'scripts'), { recursive: true });
  await mkdir(path.join(root, 'src/worker'));
  for (const part of ['collection-worker', 'heavy-worker']) {
    await writeFile(path.join(root, `src/worker/${part}.ts`), 'export {};');
  }
}

async function outputOf(root: string): Promise<{ said: unknown; complaint: string }> {
  const server = launch(path.join(root, 'bin/anki-sync-server'), [], process.env['PATH'] ?? '');
  const [said, complaint] = await Promise.all([text(server.stdout), text(server.stderr), once(server, 'exit')]);
  return { said: JSON.parse(said), complaint };
}

test('a checkout runs compiled, and what runs is always the source as it is now', async () => {
  await using folder = await checkout();
  await addCompiler(folder.root);
  for (const words of ['first', 'second words', 'second words']) {
    await writeFile(path.join(folder.root, 'src/main.ts'), TELLING_MAIN(words));
    assert.deepEqual(await outputOf(folder.root), { said: { said: words, isCompiled: true }, complaint: '' });
  }
});

test('programs that start at the same moment after a change do not disturb each other', async () => {
  await using folder = await checkout();
  await addCompiler(folder.root);
  await writeFile(path.join(folder.root, 'src/main.ts'), TELLING_MAIN('all'));
  const outputs = await Promise.all(Array.from({ length: 12 }, () => outputOf(folder.root)));
  for (const output of outputs) assert.deepEqual(output, { said: { said: 'all', isCompiled: true }, complaint: '' });
  assert.equal((await readdir(path.join(folder.root, '.cache/program'))).length, 1);
});

test('of compiled programs those stay that were used last, and all that are in the making', async () => {
  await using folder = await checkout();
  await addCompiler(folder.root);
  await writeFile(path.join(folder.root, 'src/main.ts'), TELLING_MAIN('here'));
  const programs = path.join(folder.root, '.cache/program');
  const add = async (name: string, ageMs: number) => {
    const at = new Date(Date.now() - ageMs);
    await mkdir(path.join(programs, name), { recursive: true });
    await utimes(path.join(programs, name), at, at);
  };
  const hourMs = 3_600_000;
  for (let number = 0; number < 12; number++) await add(`draft-${number}`, -number * 1_000);
  for (let number = 0; number < 12; number++) await add(`old-${number}`, (2 + number) * hourMs);
  assert.deepEqual(await outputOf(folder.root), { said: { said: 'here', isCompiled: true }, complaint: '' });
  const left = await readdir(programs);
  assert.equal(left.filter((name) => name.startsWith('draft-')).length, 12);
  assert.equal(left.filter((name) => name.startsWith('old-')).length, 0);
  assert.equal(left.length, 13);
});

test('where nothing can be compiled the source itself runs, with one line that says why', async () => {
  await using folder = await checkout();
  await folder.installNode();
  await writeFile(path.join(folder.root, 'src/main.ts'), TELLING_MAIN('plain'));
  const { said, complaint } = await outputOf(folder.root);
  assert.deepEqual(said, { said: 'plain', isCompiled: false });
  assert.match(complaint, /^Running from the source, .*: Error: Cannot find module .*\n$/);
});
