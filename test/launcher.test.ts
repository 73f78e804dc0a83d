import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const LAUNCHER = path.join(import.meta.dirname, '../bin/anki-sync-server');
/** Says who it is, then waits to be stopped. */
const MAIN = `
  const names: readonly string[] = process.argv.slice(2);
  const awake = setInterval(() => {}, 1000);
  process.on('SIGTERM', () => { clearInterval(awake); process.exitCode = 7; });
  console.log(JSON.stringify({ pid: process.pid, version: process.version, names }));
`;

/** A folder like a checkout, its name with a blank on purpose. */
async function checkout() {
  const root = await mkdtemp(path.join(tmpdir(), 'launcher of anki '));
  await cp(LAUNCHER, path.join(root, 'bin/anki-sync-server'));
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
