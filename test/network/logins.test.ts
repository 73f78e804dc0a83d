import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import { addressFailuresMax, userFailuresMax } from '../../src/accounts/login-throttle.ts';
import { newestClient } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { uploadAll } from '../support/steps.ts';
import { canRun } from './client.ts';
import { prepareDebianTool } from './debian-tool.ts';
import { Program } from './program.ts';
import { ask, type Heard } from './requests.ts';

const run = promisify(execFile);
const shipped = path.join(import.meta.dirname, '../../packaging/fail2ban');

/** A proxy on this computer tells the addresses; without it everybody would be at 127.0.0.1. */
const behindProxy = { SYNC_HOST: '127.0.0.1', SYNC_PORT: '0', SYNC_TRUSTED_PROXIES: 'loopback' };

function login(
  port: number,
  { user, password, from }: { user: string; password: string; from: string },
): Promise<Heard> {
  const header = JSON.stringify({ v: 11, k: '', c: 'test', s: 'abc' });
  const headers = { 'anki-sync': header, 'content-type': 'application/octet-stream', 'x-forwarded-for': from };
  const body = zstdCompressSync(JSON.stringify({ u: user, p: password }));
  return ask({ port, path: '/sync/hostKey', method: 'POST', headers }, body);
}

function meta(port: number, hostKey: string, from: string): Promise<Heard> {
  const header = JSON.stringify({ v: 11, k: hostKey, c: 'test', s: 'abc' });
  const headers = { 'anki-sync': header, 'content-type': 'application/octet-stream', 'x-forwarded-for': from };
  return ask({ port, path: '/sync/meta', method: 'POST', headers }, zstdCompressSync('{"v":11,"cv":"x"}'));
}

test('while somebody guesses passwords, devices sync on, and logins from home work', async (context) => {
  if (!(await canRun(newestClient, context))) return;
  await using server = await Program.start({ users: ['ann', 'bob'], env: behindProxy });
  const [url = ''] = await server.urls();
  const port = Number(new URL(url).port);
  await using phone = await Device.create({ version: newestClient, url, hostKey: server.hostKey('bob') });
  await phone.addNote({ fields: ['front', 'back'] });
  await uploadAll(phone);
  assert.equal((await meta(port, server.hostKey('ann'), '192.0.2.1')).status, 200, 'a device of ann at home');

  let attacking = true;
  const heard: number[] = [];
  const attack = Promise.all(
    [1, 2, 3, 4].map(async (lane) => {
      for (let n = 0; attacking; n++) {
        const from = `203.0.113.${(lane * 50 + n) % 250}`;
        heard.push((await login(port, { user: n % 2 ? 'ann' : 'bob', password: `guess${n}`, from })).status);
      }
    }),
  );
  for (let n = 0; n < 5; n++) {
    await phone.addNote({ fields: [`note ${n}`, 'back'] });
    assert.equal(await phone.outcome(), 'normal');
  }
  assert.equal((await login(port, { user: 'ann', password: server.password, from: '192.0.2.1' })).status, 200);
  const elsewhere = await login(port, { user: 'ann', password: server.password, from: '198.51.100.1' });
  attacking = false;
  await attack;
  assert.equal(elsewhere.status, 429);
  assert.match(elsewhere.reason, /^Cannot log in: too many failed logins, try again in 1[45] minutes$/);
  assert.equal(heard.filter((status) => status === 403).length, 2 * userFailuresMax);
  assert.ok(heard.includes(429));
});

test('a real client shows that there were too many failed logins, and not that the password is wrong', async (context) => {
  if (!(await canRun(newestClient, context))) return;
  await using server = await Program.start({ env: { SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } });
  const [url = ''] = await server.urls();
  await using device = await Device.create({ version: newestClient, url, hostKey: '' });
  for (let n = 0; n < userFailuresMax; n++) await assert.rejects(device.login('ann', 'wrong'), { kind: 'auth' });
  const refusal = { kind: 'network', message: /too many failed logins, try again in 1[45] minutes/ };
  await assert.rejects(device.login('ann', server.password), refusal);
  await using other = await Device.create({ version: newestClient, url, hostKey: server.hostKey() });
  await other.addNote({ fields: ['front', 'back'] });
  await uploadAll(other);
  await other.addNote({ fields: ['another', 'back'] });
  assert.equal(await other.outcome(), 'normal', 'a device that has its key');
});

test('a forged header neither hides a guesser nor gets anybody else refused', async () => {
  await using server = await Program.start({
    env: { ...behindProxy, SYNC_IP_HEADER: 'RightmostXForwardedFor', SYNC_TRUSTED_PROXIES: '192.0.2.200' },
  });
  const port = await server.port();
  for (let n = 0; n < addressFailuresMax + 10; n++) {
    const { status } = await login(port, { user: `name${n}`, password: 'wrong', from: `203.0.113.${n % 250}` });
    assert.equal(status, n < addressFailuresMax ? 403 : 429, String(n));
  }
  await server.printed(/login refused addr="127\.0\.0\.1"/);
  await server.printed(/WARN .*its sender is not in SYNC_TRUSTED_PROXIES/);
  assert.doesNotMatch(server.output, /addr="203/);
});

/** Texts that would be mistaken for the address, the end of the line or another line if they were written as they are. */
const hostileNames = [
  'x" addr="198.51.100.1',
  'x","addr":"198.51.100.1","msg":"login refused"}',
  'x\n2026-01-01T00:00:00.000Z WARN  login refused addr="198.51.100.1" reason="x"',
  'x\r\n{"level":"warn","time":"2026-01-01T00:00:00.000Z","addr":"198.51.100.1","reason":"x","msg":"login refused"}',
  'x\u2028\u00852026-01-01T00:00:00.000Z WARN  login refused addr="198.51.100.1" reason="x"',
  '\\" addr=\\"198.51.100.1\\',
  '\u0000\u001b[2K\u202e198.51.100.1',
  'addr="198.51.100.1"',
  `${'x'.repeat(99)}"`,
  '',
];

for (const format of ['text', 'json']) {
  test(`fail2ban finds every refused login in the ${format} log, each with its true address`, async (context) => {
    const tool = await fail2banRegex(context);
    if (tool === undefined) return;
    await using server = await Program.start({ env: { ...behindProxy, SYNC_LOG_FORMAT: format } });
    const port = await server.port();
    const expected: string[] = [];
    for (const [n, user] of hostileNames.entries()) {
      const from = n % 2 ? `203.0.113.${n % 250}` : `2001:db8::${n + 1}:1`;
      assert.equal((await login(port, { user, password: 'wrong', from })).status, 403);
      expected.push(from);
    }
    assert.equal((await meta(port, 'f'.repeat(40), '203.0.113.200')).status, 403);
    for (let n = 0; n <= userFailuresMax; n++) {
      await login(port, { user: 'ann', password: 'wrong', from: '203.0.113.201' });
      expected.push('203.0.113.201');
    }
    expected.push('203.0.113.200');
    assert.equal((await login(port, { user: 'ann', password: server.password, from: '192.0.2.1' })).status, 429);
    expected.push('192.0.2.1');
    assert.equal((await meta(port, server.hostKey(), '192.0.2.2')).status, 200);
    await server.printed(/192\.0\.2\.2/);
    assert.equal(await server.stop(), 0);

    assert.deepEqual((await tool.addressesIn(server.output)).toSorted(), expected.toSorted());
    const inJournal = server.output.replaceAll(/^(?=.)/gm, '1700000000 host anki-sync-server[123]: ');
    assert.deepEqual((await tool.addressesIn(inJournal, 'journal')).toSorted(), expected.toSorted());
  });
}

test('fail2ban takes the shipped jail with the shipped filter, and bans nobody before the server refuses', async (context) => {
  const tool = await prepareDebianTool(['fail2ban']);
  if (tool.kind === 'missing') return context.skip(`fail2ban ${tool.reason}`);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-fail2ban-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  await cp(path.join(tool.root, 'etc/fail2ban'), folder, { recursive: true });
  await rm(path.join(folder, 'jail.d'), { recursive: true }); // Debian turns a jail for sshd on.
  await cp(shipped, folder, { recursive: true });
  const client = [path.join(tool.root, 'usr/bin/fail2ban-client'), '-c', folder];
  const env = { ...process.env, PYTHONPATH: path.join(tool.root, 'usr/lib/python3/dist-packages') };
  await run('python3', [...client, '-t'], { env });
  const { stdout } = await run('python3', [...client, '-d'], { env });
  assert.match(stdout, /'add', 'anki-sync-server', 'systemd'/);
  assert.match(stdout, /'addfailregex', \[.*login refused addr="<ADDR>".*"msg":"login refused"/);
  assert.ok(Number(/'maxretry', (\d+)/.exec(stdout)?.[1]) > userFailuresMax);
});

interface Fail2banRegex {
  /** What the shipped filter makes of a log. From the journal fail2ban gets the time apart from the line. */
  addressesIn(log: string, source?: 'file' | 'journal'): Promise<readonly string[]>;
}

async function fail2banRegex(context: TestContext): Promise<Fail2banRegex | undefined> {
  const tool = await prepareDebianTool(['fail2ban']);
  if (tool.kind === 'missing') {
    context.skip(`fail2ban ${tool.reason}`);
    return undefined;
  }
  const { root } = tool;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-fail2ban-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return {
    addressesIn: async (log, source = 'file') => {
      const whole = await readFile(path.join(shipped, 'filter.d/anki-sync-server.conf'), 'utf8');
      const [filter, logFile] = [path.join(folder, `${source}.conf`), path.join(folder, `${source}.log`)];
      await writeFile(filter, source === 'file' ? whole : whole.replace(/^datepattern.*$/m, ''));
      await writeFile(logFile, log);
      const dates = source === 'file' ? [] : ['-d', '^EPOCH'];
      const program = [path.join(root, 'usr/bin/fail2ban-regex'), '-c', path.join(root, 'etc/fail2ban')];
      const { stdout } = await run('python3', [...program, ...dates, '-o', 'ip', logFile, filter], {
        env: { ...process.env, PYTHONPATH: path.join(root, 'usr/lib/python3/dist-packages') },
      });
      return stdout.split('\n').filter((line) => line !== '');
    },
  };
}
