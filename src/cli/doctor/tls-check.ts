import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, getCACertificates, type SecureVersion } from 'node:tls';
import { type Finding, ok, problem, warning } from './finding.ts';
import { portOf } from './reach-check.ts';

/** What the other side shows when one version of TLS is asked for. */
export type TlsTry =
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | {
      readonly kind: 'agreed';
      /** Why the certificate is not trusted, such as `CERT_HAS_EXPIRED`; undefined when it is. */
      readonly distrust: string | undefined;
      /** Epoch milliseconds of its end. */
      readonly validToMs: number;
      /** Names that it is good for, as in `DNS:example.org, IP Address:192.0.2.1`. */
      readonly names: string;
      readonly issuer: string;
      /** How many certificates were sent. */
      readonly chainLength: number;
      /** Does it say where the certificate of its issuer is to be had? Those of public authorities do. */
      readonly namesIssuerFile: boolean;
    };

export interface TlsFacts {
  readonly hostname: string;
  readonly nowMs: number;
  readonly tls12: TlsTry;
  readonly tls13: TlsTry;
}

const handshakeMsMax = 10_000;
const dayMs = 24 * 60 * 60 * 1000;
/** Programs that renew certificates do so a month before the end. */
const daysLeftMin = 14;

export async function gatherTls(url: URL): Promise<TlsFacts> {
  const [tls12, tls13] = [await tryVersion(url, 'TLSv1.2'), await tryVersion(url, 'TLSv1.3')];
  return { hostname: url.hostname, nowMs: Date.now(), tls12, tls13 };
}

function tryVersion(url: URL, version: SecureVersion): Promise<TlsTry> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const { promise, resolve } = Promise.withResolvers<TlsTry>();
  const socket = connect({
    host,
    port: portOf(url),
    minVersion: version,
    maxVersion: version,
    // What the system trusts counts too: clients use its list.
    ca: [...getCACertificates('default'), ...getCACertificates('system')],
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
    timeout: handshakeMsMax,
  });
  socket.once('secureConnect', () => {
    const code = socket.authorizationError as Error | string | null; // A text or an error, whatever the types say.
    resolve(agreed(socket.getPeerCertificate(true), code instanceof Error ? codeOf(code) : (code ?? undefined)));
  });
  socket.once('timeout', () => resolve({ kind: 'refused', code: 'TIMEOUT', message: 'no answer in time' }));
  socket.once('error', (error) => resolve({ kind: 'refused', code: codeOf(error), message: error.message }));
  void promise.then(() => socket.destroy());
  return promise;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}

function agreed(certificate: DetailedPeerCertificate, distrust: string | undefined): TlsTry {
  return {
    kind: 'agreed',
    distrust,
    validToMs: Date.parse(certificate.valid_to),
    names: certificate.subjectaltname ?? '',
    issuer: [certificate.issuer?.CN ?? certificate.issuer?.O ?? 'nobody'].flat().join(', '),
    chainLength: lengthOf(certificate),
    namesIssuerFile: Object.keys(certificate.infoAccess ?? {}).some((name) => name.startsWith('CA Issuers')),
  };
}

/** A root is its own issuer. */
function lengthOf(certificate: DetailedPeerCertificate): number {
  let length = 1;
  for (
    let at = certificate;
    at.issuerCertificate !== undefined && at.issuerCertificate !== at && length < 10;
    length++
  ) {
    at = at.issuerCertificate;
  }
  return length;
}

/** Can every client agree on a version of TLS, and does it trust the certificate? */
export function judgeTls(facts: TlsFacts): readonly Finding[] {
  const { tls12, tls13 } = facts;
  const shown = tls13.kind === 'agreed' ? tls13 : tls12;
  if (shown.kind === 'refused') {
    const reason = tls12.kind === 'refused' ? tls12.message : shown.message;
    const remedy =
      'If the server listens there without a proxy or certificate, type http:// in place of https://; otherwise look at the log of the proxy.';
    return [problem(`no TLS connection can be made: ${reason}`, remedy)];
  }
  return [...judgeVersions(facts), ...judgeCertificate(facts, shown)];
}

function judgeVersions({ tls12, tls13 }: TlsFacts): Finding[] {
  if (tls12.kind === 'refused') {
    const remedy =
      'AnkiMobile and older clients need it. nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3; HAProxy: ssl-min-ver TLSv1.2.';
    return [problem('TLS 1.2 is not offered', remedy)];
  }
  if (tls13.kind === 'refused') {
    const remedy =
      'All clients work with it today. Offer 1.3 as well. nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3.';
    return [warning('only TLS 1.2 is offered, not 1.3', remedy)];
  }
  return [ok('TLS 1.2 and 1.3 are offered')];
}

type Agreed = Extract<TlsTry, { kind: 'agreed' }>;

function judgeCertificate({ hostname, nowMs }: TlsFacts, shown: Agreed): Finding[] {
  if (shown.distrust !== undefined) return [judgeDistrust(hostname, shown, shown.distrust)];
  const end = new Date(shown.validToMs).toISOString().slice(0, 10);
  const days = Math.floor((shown.validToMs - nowMs) / dayMs);
  const text = `the certificate is good for ${hostname} until ${end}`;
  if (days >= daysLeftMin) return [ok(text)];
  return [warning(`${text}, which is in ${days} days`, 'Renew it, and look why that does not happen by itself.')];
}

function judgeDistrust(hostname: string, shown: Agreed, code: string): Finding {
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const end = new Date(shown.validToMs).toISOString().slice(0, 10);
      return problem(
        `the certificate has expired: it was good until ${end}`,
        'Renew it, and make the proxy load the new one.',
      );
    }
    case 'CERT_NOT_YET_VALID':
      return problem(
        'the certificate is not valid yet',
        'Look at the clocks of this computer and of the one that made it.',
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return problem(
        `the certificate is not for ${hostname} but for ${shown.names || 'no name'}`,
        'Get one for this name, or type the name that it is for. With several names on one proxy: is this one in its settings?',
      );
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return problem(`the certificate comes from an authority that nobody knows (${shown.issuer})`, privateRemedy);
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_GET_ISSUER_CERT':
      return judgeGap(shown);
    default:
      return problem(
        `the certificate is not trusted (${code})`,
        'Get a certificate of a public authority, such as letsencrypt.org.',
      );
  }
}

const privateRemedy =
  'Get one of a public authority, such as letsencrypt.org. Or add the root of yours to what each device trusts, see docs/proxies.md.';

/** Something is missing between the certificate and the roots. Browsers fetch it, clients of Anki do not. */
function judgeGap({ issuer, chainLength, namesIssuerFile }: Agreed): Finding {
  const text = `the certificate of the issuer (${issuer}) is missing`;
  if (chainLength > 1 || !namesIssuerFile) {
    return problem(
      `${text}: it was not sent, and it is not among those that this computer knows`,
      `If the authority is a public one, give the proxy the whole chain (fullchain.pem). If it is your own: ${privateRemedy}`,
    );
  }
  return problem(
    `${text}: the chain is not complete`,
    'Give the proxy the whole chain, for example fullchain.pem in place of cert.pem. Browsers hide this fault.',
  );
}
