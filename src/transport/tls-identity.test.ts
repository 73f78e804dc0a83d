import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { makeCertificate } from '../../test/support/certificates.ts';
import { loadTlsIdentity, TlsIdentityError } from './tls-identity.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'anki-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const hosts = ['sync.example.org', '127.0.0.1'];
const root = makeCertificate({ name: 'Root', isAuthority: true });
const middle = makeCertificate({ name: 'Middle', isAuthority: true, issuer: root });
const leaf = makeCertificate({ name: 'leaf', issuer: middle, hosts });
const other = makeCertificate({ name: 'other', issuer: middle, hosts: ['other.example.org'] });
let files = 0;

function fileWith(text: string): string {
  files += 1;
  const file = path.join(folder, `${files}.pem`);
  writeFileSync(file, text);
  return file;
}

const load = (cert: string, key: string) => loadTlsIdentity({ cert: fileWith(cert), key: fileWith(key) }, Date.now());

function problem(cert: string, key: string): string {
  try {
    load(cert, key);
  } catch (error) {
    assert.ok(error instanceof TlsIdentityError, String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: 'it was accepted' });
}

test('a full chain with its key is accepted without a word, and its names are told', () => {
  const identity = load(leaf.pem + middle.pem, leaf.keyPem);
  assert.deepEqual(identity.names, hosts);
  assert.deepEqual(identity.warnings, []);
  assert.deepEqual(load(`subject=leaf\n${leaf.pem}\n${middle.pem}${root.pem}`, leaf.keyPem).warnings, []);
});

test('a certificate that some or all clients refuse is used, with a warning that says why', () => {
  const warningOf = (cert: string, key: string) => load(cert, key).warnings.join();
  const issued = (from: number, to: number) =>
    makeCertificate({ name: 'x', issuer: middle, hosts, days: { from, to } });
  const [expired, early, ending] = [issued(-90, -1), issued(1, 90), issued(-80, 10)];
  assert.match(warningOf(expired.pem + middle.pem, expired.keyPem), /expired at \d{4}-/);
  assert.match(warningOf(early.pem + middle.pem, early.keyPem), /is valid from \d{4}-.* on only/);
  assert.match(warningOf(ending.pem + middle.pem, ending.keyPem), /expires at .*renewed/);
  assert.match(warningOf(leaf.pem, leaf.keyPem), /lacks the certificates of its issuers/);
  assert.match(warningOf(leaf.pem + root.pem, leaf.keyPem), /not issued by the one behind/);
  const alone = makeCertificate({ name: 'self', hosts });
  assert.equal(warningOf(alone.pem, alone.keyPem), '', 'a self-signed one has no issuers to lack');
});

test('what cannot work is told with the setting, the file and the remedy', () => {
  assert.match(problem(leaf.pem, other.keyPem), /^SYNC_TLS_KEY: .*\.pem is not the key of .*sync\.example\.org/);
  assert.match(problem(middle.pem + leaf.pem, leaf.keyPem), /^SYNC_TLS_CERT: .*wrong order/);
  assert.match(problem(leaf.keyPem, leaf.keyPem), /^SYNC_TLS_CERT: .*holds no certificate/);
  assert.match(problem(leaf.pem, leaf.pem), /^SYNC_TLS_KEY: .*holds no private key/);
  assert.match(problem('', leaf.keyPem), /^SYNC_TLS_CERT: .*holds no certificate/);
  assert.match(problem(leaf.pem.replace(/^M/m, 'A'), leaf.keyPem), /^SYNC_TLS_CERT: .*cannot be read/);
  assert.match(problem(leaf.pem, leaf.keyPem.replace(/^M/m, 'A')), /^SYNC_TLS_KEY: .*cannot be read/);
  const missing = { cert: path.join(folder, 'none.pem'), key: fileWith(leaf.keyPem) };
  assert.throws(
    () => loadTlsIdentity(missing, Date.now()),
    /^TlsIdentityError: SYNC_TLS_CERT: there is no file .*none/,
  );
  assert.throws(() => loadTlsIdentity({ ...missing, cert: folder }, Date.now()), /SYNC_TLS_CERT: cannot read/);
});

test('a file that the account may not read is told as such', { skip: process.platform === 'win32' }, () => {
  const file = fileWith(leaf.keyPem);
  const script = `
    const { chmodSync } = await import('node:fs');
    const { loadTlsIdentity } = await import(${JSON.stringify(new URL('./tls-identity.ts', import.meta.url).href)});
    chmodSync(${JSON.stringify(file)}, 0);
    chmodSync(${JSON.stringify(folder)}, 0o755);
    if (process.getuid() === 0) process.setuid(65534); // Root may read everything.
    try { loadTlsIdentity({ cert: ${JSON.stringify(fileWith(leaf.pem))}, key: ${JSON.stringify(file)} }, 0); }
    catch (error) { console.log(error.message); }`;
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.match(told, /^SYNC_TLS_KEY: .* may not be read by the account that runs the server/);
});

test('an encrypted key is refused with the way to decrypt it, and the error shows nothing of it', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const protectedPem = (type: 'pkcs8' | 'sec1') =>
    privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  for (const pem of [protectedPem('pkcs8'), protectedPem('sec1')]) {
    const told = problem(leaf.pem, pem);
    assert.match(told, /^SYNC_TLS_KEY: .*is encrypted.*openssl pkey/);
    assert.ok(!told.includes(pem.split('\n').at(-3) ?? ''));
  }
});
