import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { buildExecutable, type Executable } from '../../scripts/build/executable.ts';
import { type Architecture, MANIFEST } from '../../scripts/build/project.ts';
import { unpackedPackages, whyNoCleanRoot } from './support/clean-root.ts';
import { exchangeEverything } from './support/exchange.ts';
import { childrenOf, Program, runToEnd } from './support/program.ts';

const isBuilt = process.platform === 'linux' && process.arch === 'x64';
const skip = isBuilt ? false : 'it is built for Linux';

suite('the single executable', { skip }, () => {
  let folder = '';
  let built: Executable;
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'anki-single-'));
    built = await buildExecutable('x64');
    await copyFile(built.program, path.join(folder, 'anki-sync-server'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('it syncs where nothing else of the project is, as one process, and ends cleanly on SIGTERM', async () => {
    const env = {
      SYNC_USER1: 'ann:secret',
      SYNC_BASE: path.join(folder, 'data'),
      SYNC_HOST: '127.0.0.1',
      SYNC_PORT: '0',
    };
    await using server = new Program(path.join(folder, 'anki-sync-server'), { env, cwd: '/' });
    const url = await server.url();
    await exchangeEverything(url, 'ann', 'secret');
    assert.deepEqual(await childrenOf(server.pid), []);
    await runToEnd(path.join(folder, 'anki-sync-server'), {
      args: ['--healthcheck'],
      env: { ...env, SYNC_PORT: new URL(url).port },
    });
    assert.equal(await server.terminate(), 0, server.output);
    assert.match(server.output, /stopped/);
    assert.doesNotMatch(server.output, /Warning/);
    assert.deepEqual((await readdir(folder)).sort(), ['anki-sync-server', 'data']);
  });

  test('it knows its version, and settings that are missing are told as always', async () => {
    const program = path.join(folder, 'anki-sync-server');
    assert.equal(await runToEnd(program, { args: ['--version'] }), `${MANIFEST.version}\n`);
    await using server = new Program(program, { env: { SYNC_BASE: path.join(folder, 'none'), SYNC_PORT: 'x' } });
    assert.equal(await server.ended(), 1);
    assert.match(server.output, /cannot start: SYNC_PORT: /);
  });

  test('the licences of all that it contains come with it, as does the list of its parts', () => {
    const licences = readFileSync(built.licences, 'utf8');
    const bom: { components: { name: string; version: string }[] } = JSON.parse(readFileSync(built.sbom, 'utf8'));
    assert.ok(bom.components.length > 10);
    for (const { name, version } of bom.components) assert.ok(licences.includes(`\n${name} ${version} (`), name);
    assert.match(licences, /Node\.js is licensed for use as follows/);
  });
});

/** What Node loads besides itself, for another processor. */
const LIBRARIES = ['libc6', 'libatomic1', 'libstdc++6', 'libgcc-s1'].map((name) => `${name}-arm64-cross`);

test('the executable for arm64 starts and syncs, on a processor that is emulated', {
  skip: skip || (whyNoCleanRoot() ?? false),
}, async () => {
  const architecture: Architecture = 'arm64';
  const { program } = await buildExecutable(architecture);
  const tools = await unpackedPackages('arm64', ['qemu-user-static', ...LIBRARIES]);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-arm64-'));
  try {
    const emulator = path.join(tools, 'usr/bin/qemu-aarch64-static');
    const args = ['-L', path.join(tools, 'usr/aarch64-linux-gnu'), program];
    const env = {
      SYNC_USER1: 'ann:secret',
      SYNC_BASE: path.join(folder, 'data'),
      SYNC_HOST: '127.0.0.1',
      SYNC_PORT: '0',
    };
    await using server = new Program(emulator, { args, env });
    await exchangeEverything(await server.url(), 'ann', 'secret');
    assert.equal(await server.terminate(), 0, server.output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
