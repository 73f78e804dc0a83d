import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type SecureVersion } from 'node:tls';
import { newestClient } from '../support/clients.ts';
import { Device } from '../support/device.ts';
import { preparePythonEnvs } from '../support/python-envs.ts';
import { downloadAll, uploadAll } from '../support/steps.ts';
import { Authority } from './authority.ts';
import { canRun } from './client.ts';
import { Program } from './program.ts';
import { ask } from './requests.ts';

const CLIENTS = [newestClient, '2.1.15', '2.1.54'] as const;

describe('HTTPS in the server itself', () => {
  let authority: Authority;
  let server: Program;
  let port = 0;
  let ca = '';

  before(async () => {
    await preparePythonEnvs(CLIENTS); // Before the variables below, which pip would hear too.
    authority = await Authority.create();
    ca = readFileSync(authority.rootFile, 'utf8');
    process.env.SSL_CERT_FILE = authority.rootFile; // Clients in Rust.
    process.env.REQUESTS_CA_BUNDLE = authority.rootFile; // Clients in Python.
    server = await Program.start({
      users: CLIENTS,
      env: { ...authority.settings, SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' },
    });
    port = await server.port();
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await authority?.[Symbol.asyncDispose]();
  });

  const over = (version?: SecureVersion) => ({
    tls: true,
    port,
    ca,
    servername: 'localhost',
    ...(version && { minVersion: version, maxVersion: version }),
  });

  test('the addresses to type in begin with https and are those of the certificate', async () => {
    assert.deepEqual(await server.urls(), [`https://127.0.0.1:${port}/`]);
  });

  test('clients with TLS 1.2 only, as on iOS, and with TLS 1.3 are served; older ones are not', async () => {
    assert.equal((await ask(over('TLSv1.2'))).protocol, 'TLSv1.2');
    assert.equal((await ask(over('TLSv1.3'))).protocol, 'TLSv1.3');
    const from = server.output.length;
    await assert.rejects(ask({ ...over('TLSv1.1'), ciphers: 'DEFAULT@SECLEVEL=0' }), /protocol version|alert/i);
    await server.printed(/a client is too old for TLS 1\.2/, from);
  });

  test('with TLS 1.2 the usual ciphers with forward secrecy are offered, and no others', async () => {
    const cipherOf = (cipher: string) =>
      new Promise<string>((resolve, reject) => {
        const options = { port, ca, servername: 'localhost', maxVersion: 'TLSv1.2', ciphers: cipher } as const;
        const socket = connectTls(options, () => {
          resolve(socket.getCipher().name);
          socket.destroy();
        }).on('error', reject);
      });
    assert.equal(await cipherOf('ECDHE-ECDSA-AES128-GCM-SHA256'), 'ECDHE-ECDSA-AES128-GCM-SHA256');
    assert.equal(await cipherOf('ECDHE-ECDSA-CHACHA20-POLY1305'), 'ECDHE-ECDSA-CHACHA20-POLY1305');
    await assert.rejects(cipherOf('ECDHE-ECDSA-AES128-SHA'), /handshake failure|alert/i);
  });

  for (const version of CLIENTS) {
    test(`Anki ${version} syncs over HTTPS`, async (context) => {
      if (!(await canRun(version, context))) return;
      const url = `https://localhost:${port}/`;
      await using device = await Device.create({ version, url, hostKey: server.hostKey(version), name: 'first' });
      await device.addNote({ fields: [`from ${version}`, 'back'] });
      await device.writeMedia('a.txt', 'x'.repeat(100_000));
      await uploadAll(device);
      await device.syncMedia();
      await using other = await Device.create({ version, url, hostKey: '', name: 'second' });
      await other.login(version, server.password);
      await downloadAll(other);
      assert.equal((await other.findNotes('from')).length, 1);
      assert.doesNotMatch(server.output, /Premature close|cut off/);
    });
  }

  test('plain HTTP on the HTTPS port is told so, to the client and in the log', async () => {
    const from = server.output.length;
    const heard = await ask({ port });
    assert.deepEqual([heard.status, heard.reason], [400, 'This port speaks HTTPS']);
    assert.match(heard.body, /https:\/\//);
    await server.printed(/WARN .*A client speaks plain HTTP to an HTTPS port/, from);
  });

  test('connections on which nothing, half of something or nonsense comes disturb nobody', async () => {
    for (const bytes of ['', '\x16\x03', 'nonsense\r\n\r\n', '\x16\x03\x01\x00\x05hello']) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.write(bytes, 'latin1', () => setTimeout(() => socket.destroy(), 50));
    }
    assert.equal((await ask(over())).status, 200);
  });

  test('the health check finds the server over HTTPS', async () => {
    const env = { ...authority.settings, SYNC_HOST: '127.0.0.1', SYNC_PORT: String(port) };
    await using check = await Program.start({ env, args: ['--healthcheck'] });
    assert.deepEqual([await check.ended, check.output], [0, '']);
    await using wrong = await Program.start({ env: { SYNC_PORT: String(port) }, args: ['--healthcheck'] });
    assert.equal(await wrong.ended, 1);
    assert.match(wrong.output, /answers 400 at http:/);
  });

  test('a renewed certificate is used for new connections, and open ones go on', async () => {
    await using agent = closing(new Agent({ keepAlive: true, maxSockets: 1 }));
    const kept = { ...over(), agent: agent.it };
    assert.equal((await ask(kept)).certificateName, 'server');
    const from = server.output.length;
    await authority.install(authority.issue('renewed'));
    await server.printed(/Read the TLS certificate again .*is_new=true/, from);
    assert.equal((await ask(over())).certificateName, 'renewed');
    assert.equal((await ask(kept)).certificateName, 'server', 'the same connection as before');
  });

  test('after a hang-up signal the files are read at once; a broken pair leaves the old one', async () => {
    const from = server.output.length;
    const { pem } = authority.issue('broken');
    await authority.install({ ...authority.issue(), pem, name: 'broken' });
    server.child.kill('SIGHUP');
    await server.printed(/ERROR Cannot use the new TLS certificate; the old one stays .*is not the key of/, from);
    assert.equal((await ask(over())).certificateName, 'renewed');
    await authority.install(authority.issue('again'));
    server.child.kill('SIGHUP');
    await server.printed(/Read the TLS certificate again/, from);
    assert.equal((await ask(over())).certificateName, 'again');
  });

  test('what is wrong with certificate or key stops the start with one line', async () => {
    const { SYNC_TLS_CERT, SYNC_TLS_KEY } = authority.settings;
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ SYNC_TLS_CERT }, /SYNC_TLS_KEY is not set/],
      [{ SYNC_TLS_KEY }, /SYNC_TLS_CERT is not set/],
      [{ SYNC_TLS_CERT: `${SYNC_TLS_CERT}.gone`, SYNC_TLS_KEY }, /SYNC_TLS_CERT: there is no file/],
      [{ SYNC_TLS_CERT, SYNC_TLS_KEY: SYNC_TLS_CERT }, /SYNC_TLS_KEY: .*holds no private key/],
      [{ SYNC_LISTEN: 'https://127.0.0.1:0' }, /SYNC_LISTEN: .*needs a certificate/],
    ];
    for (const [env, expected] of cases) {
      await using failed = await Program.start({ env: { SYNC_PORT: '0', ...env } });
      assert.equal(await failed.ended, 1);
      assert.match(failed.output, expected);
      assert.equal(failed.output.trim().split('\n').length, 1, failed.output);
    }
  });

  test('a stop ends idle and silent HTTPS connections at once', async () => {
    await using agent = closing(new Agent({ keepAlive: true }));
    await ask({ ...over(), agent: agent.it });
    const silent = connect(port, '127.0.0.1').on('error', () => {});
    await once(silent, 'connect');
    const startedMs = performance.now();
    assert.equal(await server.stop(), 0);
    assert.ok(performance.now() - startedMs < 2500, `${performance.now() - startedMs} ms`);
  });
});

test('a client that does not trust the certificate is told of in the log', async (context) => {
  if (!(await canRun(newestClient, context))) return;
  await using stranger = await Authority.create(); // Nobody trusts it.
  await using server = await Program.start({ env: { ...stranger.settings, SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } });
  const url = `https://localhost:${await server.port()}/`;
  await using device = await Device.create({ version: newestClient, url, hostKey: '' });
  await assert.rejects(device.login('ann', server.password), { kind: 'network' });
  await server.printed(/WARN .*a client does not accept the TLS certificate/);
});

test('TLS on a plain port is told of in the log', async () => {
  await using server = await Program.start({ env: { SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } });
  const port = await server.port();
  await assert.rejects(ask({ tls: true, port, servername: 'localhost' }));
  await server.printed(/WARN .*A client speaks TLS to a plain port/);
  assert.equal((await ask({ port })).status, 200);
});

function closing(agent: Agent): AsyncDisposable & { readonly it: Agent } {
  return { it: agent, [Symbol.asyncDispose]: async () => agent.destroy() };
}
