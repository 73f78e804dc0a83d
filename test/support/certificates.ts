import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';

/**
 * Certificates for tests, made on the spot: no private key lies in the project, and expired ones can be had. The few kinds
 * of DER values that a certificate is made of are written by hand, because Node reads certificates but makes none.
 */
export interface Certificate {
  readonly name: string;
  /** PEM, this certificate alone. */
  readonly pem: string;
  /** PEM (PKCS#8). */
  readonly keyPem: string;
}

export interface CertificateWish {
  /** Common name of the subject. */
  readonly name: string;
  /** Who signs it; a root of its own without. */
  readonly issuer?: Certificate;
  readonly isAuthority?: boolean;
  /** Names and addresses that it is good for, beside each other as in `['localhost', '127.0.0.1']`. */
  readonly hosts?: readonly string[];
  /** Days from now; negative for the past. Default: from yesterday for 90 days. */
  readonly days?: { readonly from: number; readonly to: number };
}

/** Makes a certificate with a new P-256 key, signed by `issuer` or by itself. */
export function makeCertificate(wish: CertificateWish): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = wish.issuer === undefined ? privateKey : createPrivateKey(wish.issuer.keyPem);
  const body = certificateBody(wish, publicKey);
  const signature = sign('sha256', body, signer);
  const whole = sequence(body, ecdsaWithSha256, bits(signature));
  return { name: wish.name, pem: pemOf(whole), keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

const dayMs = 24 * 60 * 60 * 1000;

function certificateBody(wish: CertificateWish, publicKey: KeyObject): Buffer {
  const { from, to } = wish.days ?? { from: -1, to: 89 };
  const serial = randomBytes(16);
  serial.writeUInt8((serial.readUInt8(0) & 0x3f) | 0x40, 0); // Positive, and of this length.
  return sequence(
    tagged(0, value(0x02, Buffer.from([2]))), // X.509 version 3.
    value(0x02, serial),
    ecdsaWithSha256,
    distinguishedName(wish.issuer?.name ?? wish.name),
    sequence(timeFromNow(from), timeFromNow(to)),
    distinguishedName(wish.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(...extensions(wish, publicKey))),
  );
}

function extensions({ issuer, isAuthority = false, hosts = [] }: CertificateWish, publicKey: KeyObject): Buffer[] {
  const constraints = extension('551d13', true, sequence(...(isAuthority ? [boolean(true)] : [])));
  // keyCertSign and cRLSign, or digitalSignature.
  const usage = extension('551d0f', true, value(0x03, Buffer.from(isAuthority ? [1, 0x06] : [7, 0x80])));
  // Strict verifiers, such as Python's, want to be told which key is meant.
  const keyIds = [extension('551d0e', false, value(0x04, keyId(publicKey)))];
  if (issuer !== undefined) {
    keyIds.push(extension('551d23', false, sequence(value(0x80, keyId(createPublicKey(issuer.keyPem))))));
  }
  if (hosts.length === 0) return [constraints, usage, ...keyIds];
  const serverAuth = extension('551d25', false, sequence(value(0x06, Buffer.from('2b06010505070301', 'hex'))));
  return [
    constraints,
    usage,
    ...keyIds,
    serverAuth,
    extension('551d11', false, sequence(...hosts.map(alternativeName))),
  ];
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

function extension(oidHex: string, isCritical: boolean, content: Buffer): Buffer {
  const flag = isCritical ? [boolean(true)] : [];
  return sequence(value(0x06, Buffer.from(oidHex, 'hex')), ...flag, value(0x04, content));
}

function alternativeName(host: string): Buffer {
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(host);
  return isAddress ? value(0x87, Buffer.from(host.split('.').map(Number))) : value(0x82, Buffer.from(host, 'latin1'));
}

function distinguishedName(name: string): Buffer {
  const commonName = sequence(value(0x06, Buffer.from('550403', 'hex')), value(0x0c, Buffer.from(name)));
  return sequence(value(0x31, commonName));
}

/** `20260131T120000Z` in the form of GeneralizedTime, or of UTCTime where X.509 asks for it (before 2050). */
function timeFromNow(days: number): Buffer {
  const text = new Date(Date.now() + days * dayMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return text < '2050' ? value(0x17, Buffer.from(text.slice(2))) : value(0x18, Buffer.from(text));
}

const ecdsaWithSha256 = sequence(value(0x06, Buffer.from('2a8648ce3d040302', 'hex')));

function boolean(isTrue: boolean): Buffer {
  return value(0x01, Buffer.from([isTrue ? 0xff : 0]));
}

function bits(content: Buffer): Buffer {
  return value(0x03, Buffer.concat([Buffer.from([0]), content]));
}

function tagged(number: number, content: Buffer): Buffer {
  return value(0xa0 + number, content);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return value(0x30, Buffer.concat(parts));
}

/** Tag, length, content. */
function value(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), content]);
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
