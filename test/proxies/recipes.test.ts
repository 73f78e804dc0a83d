import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientVersion, newestClient } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { preparePythonEnvs } from '../support/python-envs.ts';
import { type Server, startServer } from '../support/server.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { PROXY_NAMES, type ProxyName, prepareProxy } from './debian-proxies.ts';
import { PLACES, type Place, startRecipe } from './recipes.ts';
import { type RunningProxy, testAuthority } from './running-proxy.ts';

const MiB = 1024 * 1024;
const largeFileBytes = 50 * MiB;

/** The newest; a Python client of protocol 9; the last one of protocol 10. All can be made to trust the test's root. */
const CLIENTS = [newestClient, '2.1.15', '2.1.54'] as const satisfies readonly ClientVersion[];
const { root, leaf } = testAuthority();

describe('the shipped files for proxies', () => {
  let folder = '';
  let server: Server | undefined;

  before(async () => {
    await preparePythonEnvs(CLIENTS); // Before the variables below, which pip would hear too.
    folder = await mkdtemp(path.join(os.tmpdir(), 'anki-root-'));
    const rootFile = path.join(folder, 'root.pem');
    await writeFile(rootFile, root.pem);
    process.env.SSL_CERT_FILE = rootFile; // Clients in Rust.
    process.env.REQUESTS_CA_BUNDLE = rootFile; // Clients in Python.
    const users = PROXY_NAMES.length * (PLACES.length * CLIENTS.length + 1) + 1;
    server = await startServer({
      users,
      env: { SYNC_IP_HEADER: 'RightmostXForwardedFor', SYNC_TRUSTED_PROXIES: '127.0.0.1' },
    });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  for (const name of PROXY_NAMES) {
    for (const place of PLACES) {
      test(`${name} at ${place === 'root' ? 'the root' : 'a subpath'} lets clients sync`, async (context) => {
        if (!(await canRun(name, context)) || server === undefined) return;
        await using proxy = await startRecipe(name, place, { serverUrl: server.url, chain: [leaf] });
        try {
          for (const version of CLIENTS) await syncThrough(server, proxy, place, version);
          if (place === 'subpath') await syncWithoutSlash(server, proxy);
          await assertAddressIsPassedOn(server, proxy, place);
          await assertBodiesAreStreamed(server, proxy, place);
          await assertVersionsOfTls(proxy, place);
        } catch (error) {
          context.diagnostic(`${proxy.log}\n${server.log.split('\n').slice(-20).join('\n')}`);
          throw error;
        }
      });
    }
  }

  test('a device that still has the http address is led to https', async (context) => {
    if (!(await canRun('nginx', context)) || server === undefined) return;
    await using proxy = await startRecipe('nginx', 'root', { serverUrl: server.url, chain: [leaf] });
    const [user, url] = [server.unusedUser(), publicUrl(proxy, 'root')];
    await using device = await Device.create({ version: newestClient, url, hostKey: server.hostKey(user) });
    await device.addNote({ fields: ['front', 'back'] });
    await uploadAll(device);
    await device.connect(`http://localhost:${proxy.httpPort}/`);
    await device.addNote({ fields: ['another', 'note'] });
    assert.equal(await device.outcome(), 'normal');
  });
});

async function canRun(name: ProxyName, context: TestContext): Promise<boolean> {
  const [proxy, ...clients] = [await prepareProxy(name), ...(await preparePythonEnvs(CLIENTS))];
  if (proxy.kind === 'missing') context.skip(`${name} ${proxy.reason}`);
  const missing = clients.find((client) => client.kind === 'missing');
  if (missing?.kind === 'missing') context.skip(`Anki ${missing.version} ${missing.reason}`);
  return proxy.kind === 'ready' && missing === undefined;
}

function publicUrl(proxy: RunningProxy, place: Place): string {
  return `https://localhost:${proxy.httpsPort}/${place === 'root' ? '' : 'anki/'}`;
}

/** Login, full upload, full download, an ordinary sync, and media; with the newest client of 50 MiB. */
async function syncThrough(server: Server, proxy: RunningProxy, place: Place, version: ClientVersion): Promise<void> {
  const user = server.unusedUser();
  const url = publicUrl(proxy, place);
  const size = version === newestClient ? largeFileBytes : 3 * MiB;
  await using phone = await Device.create({ version, url, hostKey: '', name: 'phone' });
  await using laptop = await Device.create({ version, url, hostKey: server.hostKey(user), name: 'laptop' });
  await phone.login(user, server.password(user));
  await phone.addNotes([{ fields: ['front', 'x'.repeat(3 * MiB)] }]);
  const digest = await phone.writeMedia('large.bin', { seed: 7, size });
  await uploadAll(phone);
  await downloadAll(laptop);
  assert.deepEqual(await laptop.mediaFiles(), { 'large.bin': digest }, `${version}: the file arrived whole`);
  await laptop.addNote({ fields: ['another', 'note'] });
  assert.equal(await laptop.outcome(), 'normal');
  assert.equal(await phone.outcome(), 'normal');
  assert.deepEqual(await phone.findNotes(''), await laptop.findNotes(''));
  assert.equal((await phone.findNotes('')).length, 2);
}

/** `https://host/anki`: the client leaves the last part out and asks for `/sync/meta`. */
async function syncWithoutSlash(server: Server, proxy: RunningProxy): Promise<void> {
  const user = server.unusedUser();
  const url = publicUrl(proxy, 'subpath').replace(/\/$/, '');
  await using device = await Device.create({ version: newestClient, url, hostKey: server.hostKey(user) });
  await device.addNote({ fields: ['front', 'back'] });
  await uploadAll(device);
  assert.equal(await device.outcome(), 'no changes');
}

interface Probe {
  readonly body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tlsVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** A message with a key that nobody has, sent from 127.0.0.2 in pieces. */
function ask(
  proxy: RunningProxy,
  place: Place,
  { body, headers = {}, tlsVersion }: Probe,
): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const request = https.request(
    new URL('sync/meta', publicUrl(proxy, place)),
    {
      method: 'POST',
      headers: { 'anki-sync': '{"v":11,"k":"nobody","c":"test","s":"s"}', ...headers },
      ca: root.pem,
      agent: false,
      localAddress: '127.0.0.2',
      family: 4,
      ...(tlsVersion !== undefined && { minVersion: tlsVersion, maxVersion: tlsVersion }),
    },
    (response) => {
      response.resume();
      resolve(response.statusCode);
      request.destroy();
    },
  );
  request.on('error', reject);
  void Readable.from(body).pipe(request);
  return promise;
}

const noBody: readonly Uint8Array[] = [new Uint8Array(8)];

/** The address in the log is the true one, whatever the client claims. */
async function assertAddressIsPassedOn(server: Server, proxy: RunningProxy, place: Place): Promise<void> {
  const before = await settledLength(server);
  await ask(proxy, place, { body: noBody, headers: { 'x-forwarded-for': '192.0.2.9', 'x-real-ip': '192.0.2.9' } });
  assert.ok(await appearsIn(server, before, '/sync/meta'));
  assert.match(server.log.slice(before), /127\.0\.0\.2/);
  assert.doesNotMatch(server.log.slice(before), /192\.0\.2\.9/);
}

/** The server refuses what a stranger sends before all of it has come; so the proxy must have passed it on by then. */
async function assertBodiesAreStreamed(server: Server, proxy: RunningProxy, place: Place): Promise<void> {
  const before = await settledLength(server);
  const refused = appearsIn(server, before, '/sync/meta');
  async function* untilRefused(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(256 * 1024);
    await refused;
  }
  // Apache tells the client of it only when the client has sent everything.
  await ask(proxy, place, { body: untilRefused() });
  assert.ok(await refused, 'the server has seen the beginning before the end was sent');
}

/** How long the log is when the lines of earlier requests are in it, which follow their answers by a moment. */
async function settledLength(server: Server): Promise<number> {
  for (let length = -1; length !== server.log.length; await sleep(200)) length = server.log.length;
  return server.log.length;
}

/** Does the server print this after so many characters? */
async function appearsIn(server: Server, after: number, text: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 50) {
    if (server.log.slice(after).includes(text)) return true;
    await sleep(50);
  }
  return false;
}

async function assertVersionsOfTls(proxy: RunningProxy, place: Place): Promise<void> {
  for (const tlsVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.ok(((await ask(proxy, place, { body: noBody, tlsVersion })) ?? 0) >= 400, tlsVersion);
  }
}
