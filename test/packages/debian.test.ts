import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { buildDebianPackage } from '../../scripts/build/debian.ts';
import { addNetwork, cleanRoot, unpackRoot, whyNoCleanRoot } from './support/clean-root.ts';
import { exchangeEverything } from './support/exchange.ts';
import { Program } from './support/program.ts';

const skip = whyNoCleanRoot() ?? false;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Mounts what a running system has, then runs a command with the root as its own. */
const INSIDE = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"';

suite('the Debian package, in a Debian that was just installed', { skip }, () => {
  let root = '';
  const inside = (...command: string[]): string[] => [
    '-m',
    '--propagation=private',
    'sh',
    '-c',
    INSIDE,
    root,
    ...command,
  ];
  const run = (...command: string[]): string =>
    execFileSync('unshare', inside(...command), {
      encoding: 'utf8',
      env: { PATH, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: 'pipe',
    });

  before(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'anki-debian-root-'));
    unpackRoot(cleanRoot('trixie'), root);
    addNetwork(root);
    const built = await buildDebianPackage(process.arch === 'arm64' ? 'arm64' : 'x64');
    copyFileSync(built, path.join(root, 'tmp/anki-sync-server.deb'));
    run('apt-get', 'update', '-q');
    run('apt-get', 'install', '-qy', '--no-install-recommends', '/tmp/anki-sync-server.deb');
  });
  after(() => rm(root, { recursive: true, force: true }));

  test('it is complete, and brings an account that owns the data', () => {
    assert.match(run('dpkg', '--status', 'anki-sync-server'), /^Status: install ok installed$/m);
    assert.equal(run('dpkg', '--verify', 'anki-sync-server'), '');
    const [, uid] = /^anki-sync:[^:]*:(\d+):/.exec(run('getent', 'passwd', 'anki-sync')) ?? [];
    const data = statSync(path.join(root, 'var/lib/anki-sync-server'));
    assert.deepEqual([String(data.uid), data.mode & 0o777], [uid, 0o700]);
    assert.equal(statSync(path.join(root, 'etc/anki-sync-server/settings')).mode & 0o777, 0o640);
    assert.equal(
      run('systemd-analyze', 'verify', '--man=no', 'anki-sync-server.service', 'anki-sync-server.socket'),
      '',
    );
  });

  test('its program syncs with the rights of that account', async () => {
    const settings = [
      'SYNC_USER1=ann:secret',
      'SYNC_BASE=/var/lib/anki-sync-server',
      'SYNC_HOST=127.0.0.1',
      'SYNC_PORT=0',
    ];
    const account = ['setpriv', '--reuid=anki-sync', '--regid=anki-sync', '--clear-groups', '--no-new-privs'];
    await using server = new Program('unshare', {
      args: inside(...account, '/usr/bin/env', '-i', ...settings, 'anki-sync-server'),
      env: { PATH },
    });
    await exchangeEverything(await server.url(), 'ann', 'secret');
    assert.equal(await server.terminate(), 0, server.output);
    assert.ok(existsSync(path.join(root, 'var/lib/anki-sync-server/ann/collection.anki2')));
  });

  test('when it is removed, even with its settings, the data stay', () => {
    const said = run('apt-get', 'purge', '-qy', 'anki-sync-server');
    assert.match(said, /The data stay in \/var\/lib\/anki-sync-server/);
    assert.equal(existsSync(path.join(root, 'usr/bin/anki-sync-server')), false);
    assert.equal(existsSync(path.join(root, 'etc/anki-sync-server/settings')), false);
    assert.ok(existsSync(path.join(root, 'var/lib/anki-sync-server/ann/collection.anki2')));
  });
});
