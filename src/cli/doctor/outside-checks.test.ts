import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MiB } from '../../limits.ts';
import { judgeBodies, judgeStreaming } from './body-check.ts';
import type { Reply } from './exchange.ts';
import { judgeMeddling } from './meddling-check.ts';
import { judgeMessage } from './message-check.ts';
import { judgePlainHttp } from './plain-http-check.ts';
import { isPrivateAddress, judgePublicAddress, readPublicAddress } from './public-address.ts';
import { judgeReach } from './reach-check.ts';
import { judgeSlash } from './slash-check.ts';
import { has, isFine } from './testing/findings.ts';
import { judgeTls, type TlsTry } from './tls-check.ts';

function reply(
  status: number,
  text = '',
  headers: Readonly<Record<string, string>> = {},
): Extract<Reply, { kind: 'reply' }> {
  return { kind: 'reply', status, reason: '', headers, text, isEarly: false, atMs: 0 };
}

const refused = reply(403, '403');
const welcome = reply(200, 'This is a sync server for Anki.\n');
const gone: Reply = { kind: 'failure', code: 'ECONNRESET', message: 'reset' };
const base = new URL('https://sync.example.org/');

test('addresses are read as clients do', () => {
  assert.equal(readPublicAddress('https://sync.example.org/anki/').kind, 'address');
  for (const text of ['sync.example.org', 'ftp://x/', 'https://sync.ankiweb.net/', '']) {
    assert.equal(readPublicAddress(text).kind, 'unusable', text);
  }
  isFine(judgePublicAddress(base));
  isFine(judgePublicAddress(new URL('http://192.168.1.20:8080/')));
  has(judgePublicAddress(new URL('http://sync.example.org/')), 'warning', /in clear/, /HTTPS/);
  has(judgePublicAddress(new URL('https://ann:x@sync.example.org/')), 'warning', /name or a password/);
  has(judgePublicAddress(new URL('https://sync.example.org/?x')), 'problem', /\?/);
  has(judgePublicAddress(new URL('https://sync.example.org/sync/')), 'warning', /ends in sync/);
});

test('private addresses are told from public ones', () => {
  const privateOnes = [
    '10.1.2.3',
    '127.0.0.1',
    '172.16.0.1',
    '172.31.9.9',
    '192.168.0.1',
    '169.254.1.1',
    '100.64.0.1',
    '::1',
    'fd00::1',
    'fe80::1',
  ];
  const publicOnes = ['9.9.9.9', '172.15.0.1', '172.32.0.1', '192.169.0.1', '100.63.0.1', '100.128.0.1', '2001:db8::1'];
  assert.deepEqual(
    privateOnes.filter((address) => !isPrivateAddress(address)),
    [],
  );
  assert.deepEqual(publicOnes.filter(isPrivateAddress), []);
});

test('an address of the name that cannot be reached is a problem, also when another one can', () => {
  const at = { hostname: 'sync.example.org', port: 443 };
  isFine(judgeReach({ ...at, addresses: [{ address: '9.9.9.9' }, { address: '2001:db8::1' }] }));
  const half = judgeReach({ ...at, addresses: [{ address: '9.9.9.9' }, { address: '2001:db8::1', code: 'TIMEOUT' }] });
  has(half, 'problem', /2001:db8::1, port 443 \(TIMEOUT\)/, /AAAA record/);
  has(judgeReach({ ...at, addresses: [{ address: '9.9.9.9', code: 'TIMEOUT' }] }), 'problem', /TIMEOUT/, /firewall/);
  has(judgeReach({ ...at, addresses: [{ address: '10.0.0.1' }] }), 'warning', /private network/, /VPN/);
  has(judgeReach({ ...at, lookupCode: 'ENOTFOUND', addresses: [] }), 'problem', /ENOTFOUND/, /A record/);
});

const good: TlsTry = {
  kind: 'agreed',
  distrust: undefined,
  validToMs: Date.UTC(2027, 0, 31),
  names: 'DNS:other.example.org',
  issuer: 'Some authority',
  chainLength: 1,
  namesIssuerFile: true,
};
const noAgreement: TlsTry = { kind: 'refused', code: 'ERR', message: 'wrong version number' };

test('each fault of a certificate has a remedy of its own', () => {
  const judge = (change: Partial<Extract<TlsTry, { kind: 'agreed' }>>) => {
    const shown = { ...good, ...change };
    return judgeTls({ hostname: 'sync.example.org', nowMs: Date.UTC(2027, 0, 1), tls12: shown, tls13: shown });
  };
  isFine(judge({}));
  has(judge({ validToMs: Date.UTC(2027, 0, 5) }), 'warning', /in 4 days/, /Renew/);
  has(judge({ distrust: 'CERT_HAS_EXPIRED' }), 'problem', /expired/, /Renew/);
  has(judge({ distrust: 'CERT_NOT_YET_VALID' }), 'problem', /not valid yet/, /clocks/);
  has(
    judge({ distrust: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    'problem',
    /not for sync\.example\.org but for DNS:other/,
    /name/,
  );
  has(judge({ distrust: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'problem', /chain is not complete/, /fullchain\.pem/);
  has(judge({ distrust: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'problem', /nobody knows/, /public authority/);
  const unknown = judge({ distrust: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', chainLength: 2 });
  has(unknown, 'problem', /not among those/, /your own/);
  has(judge({ distrust: 'SOMETHING_ELSE' }), 'problem', /SOMETHING_ELSE/, /public authority/);
});

test('both versions of TLS are asked for', () => {
  const at = { hostname: 'sync.example.org', nowMs: Date.UTC(2027, 0, 1) };
  has(judgeTls({ ...at, tls12: noAgreement, tls13: good }), 'problem', /1\.2 is not offered/, /AnkiMobile/);
  has(judgeTls({ ...at, tls12: good, tls13: noAgreement }), 'warning', /only TLS 1\.2/, /ssl_protocols/);
  has(judgeTls({ ...at, tls12: noAgreement, tls13: noAgreement }), 'problem', /wrong version number/, /http:\/\//);
});

test('only the three digits of a sync server count as its answer', () => {
  isFine(judgeMessage({ base, modern: refused, form: refused, page: welcome }));
  isFine(judgeMessage({ base, modern: refused, form: refused, page: reply(404) }));
  has(
    judgeMessage({ base, modern: reply(400, '400'), form: refused, page: welcome }),
    'problem',
    /header anki-sync does not/,
    /headers/,
  );
  has(
    judgeMessage({ base, modern: refused, form: reply(403, 'WAF'), page: welcome }),
    'warning',
    /before 2\.1\.57/,
    /Forms/,
  );
  const cases: readonly (readonly [Reply, RegExp])[] = [
    [reply(403, '<html>Attention required'), /firewall/],
    [reply(401), /password of its own/],
    [reply(404, '404'), /path does not lead/],
    [reply(405), /takes no POST/],
    [reply(413), /limit for bodies/],
    [reply(429), /counts requests/],
    [reply(502), /does not reach the server/],
    [reply(200), /no rule for the path/],
    [reply(301, '', { location: 'https://x.example/anki/sync/meta' }), /Type https:\/\/x\.example\/anki\/ into/],
    [gone, /log of the proxy/],
  ];
  for (const [modern, remedy] of cases) {
    has(judgeMessage({ base, modern, form: modern, page: modern }), 'problem', /^/, remedy);
  }
});

test('the slash matters only where the proxy makes it matter', () => {
  const [slashed, bare] = [new URL('https://x.example/anki/'), new URL('https://x.example/anki')];
  isFine(judgeSlash({ url: slashed, withSlash: refused, withoutSlash: refused }));
  has(judgeSlash({ url: slashed, withSlash: refused, withoutSlash: reply(404) }), 'warning', /only/, /anki\//);
  has(
    judgeSlash({ url: bare, withSlash: refused, withoutSlash: reply(404) }),
    'problem',
    /missing/,
    /anki\/ into Anki/,
  );
  assert.deepEqual(judgeSlash({ url: bare, withSlash: gone, withoutSlash: gone }), []);
});

test('http may be closed or lead on with 308', () => {
  isFine(judgePlainHttp({ reply: gone }));
  isFine(judgePlainHttp({ reply: reply(308, '', { location: 'https://x.example/sync/meta' }) }));
  has(judgePlainHttp({ reply: reply(301, '', { location: 'https://x.example/' }) }), 'warning', /301/, /308/);
  has(judgePlainHttp({ reply: refused }), 'warning', /also be reached by http/, /308/);
});

test('the largest body that passes and the smallest that does not are told, and whose limit it is', () => {
  const tried = (bytes: number, answer: Reply) => ({ bytes, reply: answer, elapsedMs: 10 });
  isFine(judgeBodies({ bytesWanted: 2 * MiB, tries: [tried(MiB, refused), tried(2 * MiB, refused)] }));
  const limited = [tried(MiB, refused), tried(2 * MiB, reply(413, '<html>'))];
  has(
    judgeBodies({ bytesWanted: 2 * MiB, tries: limited }),
    'problem',
    /2\.0 MiB does not.*1\.0 MiB does/,
    /client_max_body_size/,
  );
  const own = [tried(MiB, refused), tried(2 * MiB, reply(400, '400'))];
  has(judgeBodies({ bytesWanted: 2 * MiB, tries: own }), 'problem', /2\.0 MiB/, /MAX_SYNC_PAYLOAD_MEGS/);
  has(
    judgeBodies({ bytesWanted: 2 * MiB, tries: [tried(MiB, gone)] }),
    'problem',
    /no body at all/,
    /log of the proxy/,
  );
  has(judgeBodies({ bytesWanted: 100 * MiB, tries: [tried(MiB, refused)] }), 'warning', /up to 1\.0 MiB/, /slow/);
});

test('a request is streamed when its answer is early, or bears an early time', () => {
  const endAtMs = Date.UTC(2027, 0, 1, 0, 0, 10);
  const dated = (secs: number) => reply(403, '403', { date: new Date(endAtMs - secs * 1000).toUTCString() });
  isFine(judgeStreaming({ reply: { ...dated(0), isEarly: true }, endAtMs }));
  isFine(judgeStreaming({ reply: dated(4), endAtMs }));
  has(judgeStreaming({ reply: dated(0), endAtMs }), 'warning', /keeps a request/, /proxy_request_buffering/);
  has(judgeStreaming({ reply: refused, endAtMs }), 'warning', /keeps a request/);
});

test('compression that nobody asked for is a problem, HTTP/2 that leads nowhere a warning', () => {
  isFine(judgeMeddling({ plain: refused, page: welcome, http2: undefined }));
  isFine(judgeMeddling({ plain: refused, page: reply(200, '', { 'content-encoding': 'gzip' }), http2: 400 }));
  const coded = reply(403, '', { 'content-encoding': 'gzip' });
  has(judgeMeddling({ plain: coded, page: coded, http2: 403 }), 'problem', /gzip/, /gzip off/);
  has(judgeMeddling({ plain: refused, page: welcome, http2: 502 }), 'warning', /502/, /HTTP\/2/);
  has(judgeMeddling({ plain: refused, page: welcome, http2: 'closed' }), 'warning', /closed/, /HTTP\/2/);
});
