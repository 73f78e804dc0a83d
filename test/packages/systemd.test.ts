import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../../scripts/build/project.ts';
import { freePort } from '../support/free-port.ts';
import { installTool, unpackedPackages, whyNoCleanRoot } from './support/clean-root.ts';
import { exchangeEverything } from './support/exchange.ts';
import { Program } from './support/program.ts';
import { allowedCalls, valuesOf } from './support/unit-file.ts';

const SYSTEMD = path.join(ROOT, 'packaging/systemd');
const service = readFileSync(path.join(SYSTEMD, 'anki-sync-server.service'), 'utf8');
const PATH = process.env['PATH'] ?? '';
const launcher = path.join(ROOT, 'bin/anki-sync-server');

const skip = whyNoCleanRoot() ?? false;
if (skip === false) installTool('systemd', 'systemd-analyze');
const work = await mkdtemp(path.join(os.tmpdir(), 'anki-systemd-'));
after(() => rm(work, { recursive: true, force: true }));

test('systemd understands every line of the units', { skip }, async () => {
  for (const unit of ['anki-sync-server.service', 'anki-sync-server.socket'])
    await cp(path.join(SYSTEMD, unit), path.join(work, unit));
  // The program is not installed here; its place is checked where the Debian package is.
  const runnable = service.replace(/^ExecStart=.*$/m, `ExecStart=${process.execPath}`);
  await writeFile(path.join(work, 'anki-sync-server.service'), runnable);
  for (const unit of ['anki-sync-server.service', 'anki-sync-server.socket']) {
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', path.join(work, unit)], {
      encoding: 'utf8',
    });
    assert.equal(`${stdout}${stderr}`, '');
    assert.equal(status, 0);
  }
});

test('the service is as little exposed as the documents say', { skip }, () => {
  const unit = path.join(SYSTEMD, 'anki-sync-server.service');
  const report = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
    encoding: 'utf8',
  });
  const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]);
  const told = Number(/exposure level of ([\d.]+)/.exec(readFileSync(path.join(ROOT, 'docs/install.md'), 'utf8'))?.[1]);
  assert.ok(score <= 1.5 && told === score, `measured ${score}, told ${told}`);
});

test('the account and its folders are made by systemd, and nobody else can read them', { skip }, async () => {
  const root = path.join(work, 'root');
  await mkdir(path.join(root, 'etc/anki-sync-server'), { recursive: true });
  await cp(path.join(SYSTEMD, 'settings'), path.join(root, 'etc/anki-sync-server/settings'));
  execFileSync('systemd-sysusers', [`--root=${root}`, path.join(SYSTEMD, 'sysusers.conf')], { stdio: 'pipe' });
  const [, uid = '', gid = ''] =
    /^anki-sync:[^:]*:(\d+):(\d+):[^:]*:\/var\/lib\/anki-sync-server:\S*nologin$/m.exec(
      await readFile(path.join(root, 'etc/passwd'), 'utf8'),
    ) ?? [];
  assert.ok(Number(uid) > 0 && Number(uid) < 1000, 'it is an account of the system');
  execFileSync('systemd-tmpfiles', [`--root=${root}`, '--create', path.join(SYSTEMD, 'tmpfiles.conf')], {
    stdio: 'pipe',
  });
  const rightsOf = (file: string) => {
    const { mode, uid: owner, gid: group } = statSync(path.join(root, file));
    return [(mode & 0o7777).toString(8), String(owner), String(group)];
  };
  assert.deepEqual(rightsOf('var/lib/anki-sync-server'), ['700', uid, gid]);
  assert.deepEqual(rightsOf('etc/anki-sync-server/settings'), ['640', '0', gid]);
});

test('the server needs no system call that the unit forbids', { skip }, async () => {
  const program = await compileSandbox();
  const list = path.join(work, 'calls');
  const calls = allowedCalls(service);
  assert.ok(calls.has('read') && calls.has('setpriority') && !calls.has('reboot') && !calls.has('chroot'));
  await writeFile(list, [...calls].join('\n'));
  const { environment } = serverSettings('calls-data');
  await using server = new Program(program, { args: [list, launcher], env: environment });
  await exchangeEverything(await server.url(), 'ann', 'secret');
  assert.equal(await server.terminate(), 0, server.output);
  // The filter is really there: what it forbids fails.
  await using forbidden = new Program(program, { args: [list, '/usr/sbin/chroot', '/', '/bin/true'], env: { PATH } });
  await forbidden.ended();
  assert.match(forbidden.output, /not permitted/);
});

test('the service can write only where the server writes', () => {
  assert.deepEqual(valuesOf(service, 'ProtectSystem'), ['strict']);
  assert.deepEqual(valuesOf(service, 'StateDirectory'), ['anki-sync-server']);
  assert.match(valuesOf(service, 'Environment').join(' '), /SYNC_BASE=\/var\/lib\/anki-sync-server\b/);
});

test('a password that systemd hands over as a credential is used', async () => {
  const credentials = path.join(work, 'credentials');
  await mkdir(credentials);
  await writeFile(path.join(credentials, 'SYNC_USER1'), 'ann:secret\n');
  const { SYNC_USER1: _none, ...environment } = serverSettings('credential-data').environment;
  await using server = new Program(launcher, { env: { ...environment, CREDENTIALS_DIRECTORY: credentials } });
  await exchangeEverything(await server.url(), 'ann', 'secret');
  assert.equal(await server.terminate(), 0, server.output);
});

test('the socket unit: systemd listens, the first connection starts the server', { skip }, async () => {
  installTool('systemd', 'systemd-socket-activate');
  assert.deepEqual(valuesOf(readFileSync(path.join(SYSTEMD, 'anki-sync-server.socket'), 'utf8'), 'ListenStream'), [
    '8080',
  ]);
  const port = await freePort();
  const { environment } = serverSettings('socket-data');
  const { SYNC_PORT: _port, SYNC_HOST: _host, ...rest } = environment;
  const passed = Object.keys(rest).map((name) => `--setenv=${name}`);
  await using server = new Program('systemd-socket-activate', {
    args: [`--listen=127.0.0.1:${port}`, ...passed, launcher],
    env: rest,
  });
  await untilListening(server);
  await exchangeEverything(`http://127.0.0.1:${port}/`, 'ann', 'secret');
  assert.equal(await server.terminate(), 0, server.output);
});

/** A program that runs another one under the filter. */
async function compileSandbox(): Promise<string> {
  const library = await unpackedPackages('seccomp', ['libseccomp-dev']);
  const folder = execFileSync('sh', ['-c', 'dirname "$(find usr/lib -name libseccomp.a)"'], {
    cwd: library,
    encoding: 'utf8',
  }).trim();
  const program = path.join(work, 'only-these-calls');
  const source = path.join(import.meta.dirname, 'support/only-these-calls.c');
  const options = [
    '-Wall',
    '-Werror',
    `-I${library}/usr/include`,
    '-o',
    program,
    source,
    `${library}/${folder}/libseccomp.a`,
  ];
  execFileSync('cc', options, { stdio: 'pipe' });
  return program;
}

function serverSettings(name: string) {
  const SYNC_BASE = path.join(work, name);
  return { environment: { PATH, SYNC_USER1: 'ann:secret', SYNC_BASE, SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } };
}

async function untilListening(program: Program): Promise<void> {
  for (let n = 0; n < 500 && !/Listening on/.test(program.output); n++) await new Promise((go) => setTimeout(go, 20));
  assert.match(program.output, /Listening on/);
}
