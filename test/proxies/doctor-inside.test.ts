import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { type Server, startServer } from '../support/server.ts';
import { type DoctorReport, runDoctor } from './run-doctor.ts';

describe('the doctor on the computer of the server', () => {
  let server: Server | undefined;
  before(async () => {
    server = await startServer({ users: ['ann'], passwords: 'plain' });
  });
  after(() => server?.[Symbol.asyncDispose]());

  /** The settings with which that server was started. */
  function settings(of: Server): Record<string, string> {
    return {
      SYNC_BASE: of.base,
      SYNC_HOST: '127.0.0.1',
      SYNC_PORT: new URL(of.url).port,
      SYNC_USER1: `ann:${of.password('ann')}`,
    };
  }

  test('finds nothing wrong while the server runs, and tells no password', async () => {
    assert.ok(server !== undefined);
    const report = await runDoctor([], settings(server));
    assertFinds(report, 'ok', /a server runs on this data folder/);
    assertFinds(report, 'ok', /it answers at http:\/\/127\.0\.0\.1:/);
    assert.equal(report.exitCode, 0, report.text);
    assert.equal(report.findings.filter(({ severity }) => severity === 'problem').length, 0, report.text);
    assert.ok(!report.text.includes(server.password('ann')));
  });

  test('finds settings that are not those of the server', async () => {
    assert.ok(server !== undefined);
    const report = await runDoctor([], { ...settings(server), SYNC_PORT: String(await freePort()) });
    assertFinds(report, 'problem', /the server runs, but nobody answers/, /other settings/);
    assert.equal(report.exitCode, 1);
    const elsewhere = await mkdtemp(path.join(os.tmpdir(), 'anki-doctor-'));
    try {
      const other = await runDoctor([], { ...settings(server), SYNC_BASE: elsewhere });
      assertFinds(other, 'problem', /a server with another data folder/, /SYNC_BASE/);
      assertFinds(other, 'warning', /no server runs on this data folder/, /Start it/);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  test('names every variable that is wrong', async () => {
    const report = await runDoctor([], { SYNC_USER1: 'secret-without-colon', SYNC_PORT: 'x' });
    assertFinds(report, 'problem', /SYNC_USER1 has no colon/, /variables of the server/);
    assertFinds(report, 'problem', /SYNC_PORT: "x" is not a port/);
    assert.ok(!report.text.includes('secret-without-colon'));
    assert.equal(report.exitCode, 1);
  });

  test('names a port that another program has', async () => {
    const other = createServer((socket) => socket.end('220 mail\r\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const base = await mkdtemp(path.join(os.tmpdir(), 'anki-doctor-'));
    try {
      const { port } = other.address() as AddressInfo; // It listens on a port by now.
      const env = { SYNC_BASE: base, SYNC_HOST: '127.0.0.1', SYNC_PORT: String(port), SYNC_USER1: 'a:b' };
      assertFinds(await runDoctor([], env), 'problem', /another program answers/, /SYNC_PORT/);
    } finally {
      other.close();
      await rm(base, { recursive: true, force: true });
    }
  });

  test('names a folder of Anki itself, and a collection that cannot be read', async () => {
    const base = await mkdtemp(path.join(os.tmpdir(), 'anki-doctor-'));
    try {
      const env = { SYNC_BASE: base, SYNC_HOST: '127.0.0.1', SYNC_PORT: String(await freePort()), SYNC_USER1: 'ann:b' };
      await runDoctor([], env); // Makes the folders, as the first start does.
      await writeFile(path.join(base, 'ann/collection.anki2'), 'SQLite format 3\0 and nothing of it');
      assertFinds(await runDoctor([], env), 'problem', /ann: the collection cannot be read/, /restore ann latest/);
      await writeFile(path.join(base, 'prefs21.db'), '');
      assertFinds(await runDoctor([], env), 'problem', /looks like Anki's own folder/, /refuses to start/);
    } finally {
      await rm(base, { recursive: true, force: true });
    }
  });
});

function assertFinds(report: DoctorReport, severity: string, text: RegExp, remedy: RegExp = /^/): void {
  const found = report.findings.some(
    (finding) => finding.severity === severity && text.test(finding.text) && remedy.test(finding.remedy ?? ''),
  );
  assert.ok(found, `no ${severity} ${text} with ${remedy} in\n${report.text}`);
}
