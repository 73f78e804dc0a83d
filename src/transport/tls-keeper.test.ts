import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Certificate, makeCertificate } from '../../test/support/certificates.ts';
import type { LogFields } from '../log.ts';
import { TlsKeeper } from './tls-keeper.ts';

const root = mkdtempSync(path.join(tmpdir(), 'anki-keeper-'));
after(() => rmSync(root, { recursive: true, force: true }));
const lookMs = 10;

class Kept implements Disposable {
  readonly folder = mkdtempSync(path.join(root, 'live-'));
  readonly lines: string[] = [];
  readonly names: string[] = [];
  readonly keeper: TlsKeeper;

  /** As certbot keeps them: links in one folder to numbered files in another. */
  constructor() {
    mkdirSync(path.join(this.folder, 'archive'));
    this.turnTo('first');
    const note = (level: string) => (fields: LogFields, text: string) =>
      void this.lines.push(`${level} ${text} ${fields['context'] ?? ''}`);
    const log = { error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') };
    this.keeper = new TlsKeeper({ files: { cert: this.file('cert'), key: this.file('key') }, log, lookMs });
    this.keeper.onChange(({ names }) => void this.names.push(...names));
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  turnTo(name: string): void {
    const issued = selfSigned(name);
    this.point('cert', `${name}-cert`, issued.pem);
    this.point('key', `${name}-key`, issued.keyPem);
  }

  point(link: string, name: string, text: string): void {
    const target = path.join(this.folder, 'archive', name);
    writeFileSync(target, text);
    symlinkSync(target, this.file(`${link}.new`));
    renameSync(this.file(`${link}.new`), this.file(link));
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let tries = 0; tries < 500 && !isSo(); tries++) await sleep(lookMs);
    assert.ok(isSo(), this.lines.join('\n'));
  }

  [Symbol.dispose](): void {
    this.keeper[Symbol.dispose]();
  }
}

function selfSigned(name: string): Certificate {
  return makeCertificate({ name, hosts: [`${name}.example.org`] });
}

test('links that are turned to other files, as certbot does, bring the new certificate', async () => {
  using kept = new Kept();
  await sleep(5 * lookMs);
  assert.deepEqual(kept.names, []);
  kept.turnTo('second');
  await kept.until(() => kept.names.length > 0);
  assert.deepEqual(kept.names, ['second.example.org']);
  kept.turnTo('third');
  await kept.until(() => kept.names.length > 1);
  assert.deepEqual(kept.keeper.identity.names, ['third.example.org']);
});

test('files that are written in place bring the new certificate', async () => {
  using kept = new Kept();
  await sleep(5 * lookMs);
  const next = selfSigned('second');
  writeFileSync(kept.file('cert'), next.pem);
  writeFileSync(kept.file('key'), next.keyPem);
  await kept.until(() => kept.names.length > 0);
  assert.deepEqual(kept.keeper.identity.names, ['second.example.org']);
});

test('a pair that cannot be used leaves the old one, says so once, and the next good one is taken', async () => {
  using kept = new Kept();
  await sleep(5 * lookMs);
  kept.point('cert', 'broken-cert', selfSigned('broken').pem);
  await kept.until(() => kept.lines.length > 0);
  await sleep(10 * lookMs);
  assert.equal(kept.lines.length, 1);
  assert.match(
    kept.lines[0] ?? '',
    /^error Cannot use the new TLS certificate; the old one stays SYNC_TLS_KEY: .*not the key/,
  );
  assert.deepEqual(kept.keeper.identity.names, ['first.example.org']);
  kept.turnTo('second');
  await kept.until(() => kept.names.length > 0);
  assert.deepEqual(kept.keeper.identity.names, ['second.example.org']);
});

test('files that disappear for a while are no reason to stop', async () => {
  using kept = new Kept();
  await sleep(5 * lookMs);
  rmSync(kept.file('cert'));
  await kept.until(() => kept.lines.some((line) => line.includes('there is no file')));
  assert.deepEqual(kept.keeper.identity.names, ['first.example.org']);
  kept.turnTo('second');
  await kept.until(() => kept.names.length > 0);
});

test('when asked, the files are read at once, changed or not', () => {
  using kept = new Kept();
  utimesSync(kept.file('cert'), 1, 1);
  kept.keeper.reload();
  assert.deepEqual(kept.names, ['first.example.org']);
});
