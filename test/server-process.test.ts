import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostKeyOf } from '../src/accounts/accounts.ts';

const main = path.join(import.meta.dirname, '../src/main.ts');
const root = await mkdtemp(path.join(tmpdir(), 'anki-process-'));
after(() => rm(root, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** The real program in a process of its own. */
class ServerProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  output = '';

  constructor(env: Record<string, string>, args: readonly string[] = []) {
    const { PATH = '', HOME = '' } = process.env;
    this.child = spawn(process.execPath, [main, ...args], {
      env: { PATH, HOME, SYNC_HOST: '127.0.0.1', SYNC_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const note = (piece: Buffer) => {
      this.output += piece.toString();
    };
    this.child.stdout?.on('data', note);
    this.child.stderr?.on('data', note);
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, output: this.output }));
    });
  }

  /** Waits until it listens and returns its address. */
  async url(): Promise<string> {
    for (;;) {
      const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(this.output)?.[0];
      if (url !== undefined) return url;
      assert.equal(this.child.exitCode, null, this.output);
      await new Promise((go) => setTimeout(go, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

let bases = 0;
const newBase = () => path.join(root, `base${++bases}`);

test('the server tells its address, answers health checks, and stops on both signals with exit code 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await using server = new ServerProcess({ SYNC_USER1: 'me:secret', SYNC_BASE: newBase() });
    const url = await server.url();
    assert.match(server.output, /1 user, data in /);
    const health = await fetch(`${url}health`);
    assert.deepEqual([health.status, await health.text()], [200, '']);
    await using check = new ServerProcess({ SYNC_PORT: new URL(url).port }, ['--healthcheck']);
    assert.deepEqual(await check.ended, { code: 0, output: '' });
    const startedMs = performance.now();
    server.child.kill(signal);
    assert.equal((await server.ended).code, 0);
    assert.ok(performance.now() - startedMs < 5000);
  }
});

test('no line of the log is lost when the server is stopped right behind a request', async () => {
  await using server = new ServerProcess({ SYNC_USER1: 'me:secret', SYNC_BASE: newBase() });
  const url = await server.url();
  assert.equal((await fetch(`${url}nowhere`)).status, 404);
  server.child.kill('SIGTERM');
  const { output } = await server.ended;
  assert.match(output, /INFO {2}refused uri="\/nowhere" .*\n(.*\n)*.* INFO {2}stopping .*\n.* INFO {2}stopped\n$/);
});

test('a second signal ends the server at once, whatever still runs', async () => {
  await using server = new ServerProcess({ SYNC_USER1: 'me:secret', SYNC_BASE: newBase() });
  const { port } = new URL(await server.url());
  const upload = connect(Number(port), '127.0.0.1').on('error', () => {});
  const header = JSON.stringify({ v: 11, k: hostKeyOf('me:secret'), c: '', s: '' });
  upload.write(`POST /sync/upload HTTP/1.1\r\nhost: x\r\nanki-sync: ${header}\r\ncontent-length: 1000\r\n\r\n`);
  await sleep(200);
  server.child.kill('SIGTERM');
  await sleep(200);
  assert.equal(server.child.exitCode, null, 'it waits for the upload');
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 1);
  upload.destroy();
});

test('requests that do not end in time do not keep the server from stopping within 5 s', async () => {
  await using server = new ServerProcess({ SYNC_USER1: 'me:secret', SYNC_BASE: newBase() });
  const { port } = new URL(await server.url());
  const upload = connect(Number(port), '127.0.0.1').on('error', () => {});
  const header = JSON.stringify({ v: 11, k: hostKeyOf('me:secret'), c: '', s: '' });
  upload.write(`POST /sync/upload HTTP/1.1\r\nhost: x\r\nanki-sync: ${header}\r\ncontent-length: 1000\r\n\r\n`);
  await sleep(200);
  const startedMs = performance.now();
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);
  assert.ok(performance.now() - startedMs < 5500);
  upload.destroy();
});

test('a health check of nobody fails', async () => {
  await using check = new ServerProcess({ SYNC_PORT: '1' }, ['--healthcheck']);
  assert.equal((await check.ended).code, 1);
});

test('neither the key nor the password shows in the output', async () => {
  await using server = new ServerProcess({ SYNC_USER1: 'me:hunter2', SYNC_BASE: newBase(), SYNC_LOG_LEVEL: 'trace' });
  const url = await server.url();
  const form = new FormData();
  form.set('data', new Blob([JSON.stringify({ u: 'me', p: 'hunter2' })]));
  const login = await fetch(`${url}sync/hostKey`, { method: 'POST', body: form });
  assert.deepEqual(await login.json(), { key: hostKeyOf('me:hunter2') });
  server.child.kill('SIGTERM');
  const { output } = await server.ended;
  assert.match(output, /uri="\/sync\/hostKey".* uid="me".* httpstatus=200/);
  assert.ok(!output.includes('hunter2') && !output.includes(hostKeyOf('me:hunter2')));
});

test('what makes a start impossible is told in one line with exit code 1, and nothing is touched', async () => {
  await using busy = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => busy.once('listening', resolve));
  const address = busy.address();
  const port = String(typeof address === 'object' && address?.port);
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{}, /SYNC_USER1 is not set/],
    [{ SYNC_USER1: 'me' }, /SYNC_USER1 has no colon/],
    [{ SYNC_USER1: 'me:x', SYNC_HOST: 'localhost' }, /SYNC_HOST: /],
    [{ SYNC_USER1: 'me:x', SYNC_PORT: 'http' }, /SYNC_PORT: /],
  ];
  for (const [env, expected] of cases) {
    const base = newBase();
    await using server = new ServerProcess({ SYNC_BASE: base, ...env });
    const { code, output } = await server.ended;
    assert.equal(code, 1);
    assert.match(output, expected);
    assert.equal(output.trim().split('\n').length, 1, output);
    await assert.rejects(readdir(base), { code: 'ENOENT' });
  }
  await using server = new ServerProcess({ SYNC_USER1: 'me:x', SYNC_BASE: newBase(), SYNC_PORT: port });
  const { code, output } = await server.ended;
  assert.deepEqual([code, /SYNC_PORT: port \d+ is in use/.test(output)], [1, true], output);
});

test('a second server on the same folder does not start, and the first goes on', async () => {
  const env = { SYNC_USER1: 'me:x', SYNC_BASE: newBase() };
  await using first = new ServerProcess(env);
  const url = await first.url();
  await using second = new ServerProcess(env);
  const { code, output } = await second.ended;
  assert.equal(code, 1);
  assert.match(output, /SYNC_BASE: another server is using/);
  assert.equal((await fetch(`${url}health`)).status, 200);
  first.child.kill('SIGKILL');
  await first.ended;
  await using third = new ServerProcess(env);
  await third.url();
});

test('version and help are told, unknown options refused', async () => {
  const outcomes = ['--version', '--help', '--nonsense'].map(async (argument) => {
    await using run = new ServerProcess({}, [argument]);
    return await run.ended;
  });
  const [version, help, nonsense] = await Promise.all(outcomes);
  assert.match(version?.output ?? '', /^\d+\.\d+\.\d+\n$/);
  assert.match(help?.output ?? '', /SYNC_USER1[\s\S]*MAX_SYNC_PAYLOAD_MEGS/);
  assert.deepEqual([version?.code, help?.code, nonsense?.code], [0, 0, 1]);
});
