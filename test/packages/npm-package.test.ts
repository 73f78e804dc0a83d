import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { MANIFEST, ROOT } from '../../scripts/build/project.ts';
import { childEnvironment } from '../support/environment.ts';
import { exchangeEverything } from './support/exchange.ts';
import { type InstalledPackage, NODES, OLDEST_NODE, PackedProject } from './support/npm-package.ts';
import { childrenOf, commandLineOf, Program, runToEnd } from './support/program.ts';

const packed = await PackedProject.pack();
after(() => packed[Symbol.asyncDispose]());

test('the package holds the compiled program, its licences and its documents, and nothing of the workshop', async () => {
  const files = await packed.files();
  for (const file of [
    'bin/anki-sync-server.js',
    'dist/main.js',
    'dist/collection-worker.js',
    'dist/heavy-worker.js',
    'dist/sqlite3.wasm',
    'dist/licences.txt',
    'dist/sbom.cdx.json',
    'LICENSE',
    'README.md',
  ]) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  const allowed =
    /^(?:dist\/(?:[\w-]+\.js|licences\.txt|sbom\.cdx\.json|sqlite3\.wasm)|docs\/[\w./-]+\.(?:md|png)|(?:monitoring|proxies|packaging\/(?:fail2ban|systemd))\/[\w./-]+|bin\/(?:anki-sync-server|program-to-run)\.js|[A-Z]+(?:\.ja)?(?:\.md)?|package\.json)$/;
  assert.deepEqual(
    files.filter((file) => !allowed.test(file)),
    [],
  );
});

test('the list of dependencies names exactly what the lock file installs for users, with checksums', async () => {
  const bom: { components: { name: string; version: string; hashes: { content: string }[]; licenses: unknown[] }[] } =
    JSON.parse(await readFile(path.join(ROOT, 'dist/sbom.cdx.json'), 'utf8'));
  const lock: {
    packages: Record<string, { version: string; integrity: string; dev?: true; optional?: true; link?: true }>;
  } = JSON.parse(await readFile(path.join(ROOT, 'package-lock.json'), 'utf8'));
  const locked = Object.entries(lock.packages)
    .filter(([folder, { dev, optional, link }]) => folder.includes('node_modules/') && !dev && !optional && !link)
    .map(([folder, { version, integrity }]) => {
      const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return `${name} ${version} ${Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex')}`;
    });
  const listed = bom.components.map(({ name, version, hashes }) => `${name} ${version} ${hashes[0]?.content}`);
  assert.deepEqual(listed.sort(), locked.sort());
  assert.deepEqual(
    bom.components.filter(({ licenses }) => licenses.length === 0),
    [],
  );
});

for (const version of NODES) {
  suite(`installed from the tarball in an empty folder, with Node ${version}`, () => {
    let installed: InstalledPackage;
    before(async () => {
      installed = await packed.installWith(version);
    });
    const settings = (name: string) => ({
      ...installed.env,
      SYNC_USER1: 'ann:secret',
      SYNC_BASE: path.join(installed.folder, name),
      SYNC_HOST: '127.0.0.1',
      SYNC_PORT: '0',
    });

    test('npx runs it by the name of the package', async () => {
      const { env, folder: cwd } = installed;
      const output = await runToEnd('npx', { args: [MANIFEST.name, '--version'], env, cwd });
      assert.equal(output.trim().split('\n').at(-1), MANIFEST.version);
    });

    test('it is one process that syncs, and ends cleanly on SIGTERM', async () => {
      await using server = new Program(installed.program, { env: settings('one') });
      await exchangeEverything(await server.url(), 'ann', 'secret');
      const line = await commandLineOf(server.pid);
      assert.ok(line.includes('--max-semi-space-size=2'), line.join(' '));
      assert.deepEqual(await childrenOf(server.pid), []);
      assert.equal(await server.terminate(), 0, server.output);
      assert.match(server.output, /stopped/);
      assert.doesNotMatch(server.output, /Warning/);
    });

    test('where it cannot set up its own process, as with sockets from systemd, it runs all the same', async () => {
      await using server = new Program(installed.program, { env: { ...settings('two'), LISTEN_FDS: '0' } });
      await exchangeEverything(await server.url(), 'ann', 'secret');
      assert.equal((await commandLineOf(server.pid)).includes('--max-semi-space-size=2'), false);
      assert.equal(await server.terminate(), 0, server.output);
    });

    // All of it with the oldest, of which the other tests know nothing.
    const chosen = version === OLDEST_NODE ? [] : ['--test-name-pattern=full-upload|chunks'];
    test('recorded traffic of released clients gets the same answers', async (t) => {
      const program = path.join(installed.folder, 'server');
      await writeFile(program, `#!/bin/sh\nPATH="${installed.env['PATH']}" exec "${installed.program}"\n`, {
        mode: 0o755,
      });
      const output = await runToEnd(process.execPath, {
        args: ['--test', '--test-reporter=tap', ...chosen, 'test/exchanges/replay.test.ts'],
        env: childEnvironment({ TEST_SERVER_PROGRAM: program }),
        cwd: ROOT,
      });
      if (/^# pass 0$/m.test(output)) return t.skip('recorded traffic cannot be played here; its own test says why');
      assert.match(output, /^# fail 0$/m);
      assert.match(output, /^# skipped 0$/m);
    });
  });
}

test('npx runs the tarball itself, where nothing of it is installed', async () => {
  const { folder, env } = await packed.installWith(OLDEST_NODE);
  const args = ['--yes', '--prefer-offline', `--package=${packed.tarball}`, '--', 'anki-sync-server', '--version'];
  const output = await runToEnd('npx', { args, env, cwd: path.join(folder, 'path') });
  assert.equal(output.trim().split('\n').at(-1), MANIFEST.version);
});

// The last test, because it changes what the others have installed.
test('on a Node that is too old it says so in one line', async () => {
  const { folder, env } = await packed.installWith(OLDEST_NODE);
  const file = path.join(folder, 'node_modules', MANIFEST.name, 'dist/main.js');
  const source = await readFile(file, 'utf8');
  // The same file, told that the Node of this machine is another.
  await writeFile(file, source.replace('process.versions.node', "'22.23.1'"));
  await using program = new Program(path.join(folder, 'node_modules/.bin/anki-sync-server'), { env });
  assert.equal(await program.ended(), 1);
  assert.match(program.output, /^anki-sync-server needs Node 24\.15 or later; [^\n]*\n$/);
});
