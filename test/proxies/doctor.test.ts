import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type Certificate, makeCertificate } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { type Server, startServer } from '../support/server.ts';
import { PROXY_NAMES, type ProxyName, prepareProxy } from './debian-proxies.ts';
import { PLACES, type Place, startRecipe } from './recipes.ts';
import { type DoctorReport, runDoctor } from './run-doctor.ts';
import { testAuthority } from './running-proxy.ts';

const { root, leaf } = testAuthority();
const hosts = ['localhost', '127.0.0.1'];

interface Fault {
  readonly title: string;
  readonly proxy: ProxyName;
  readonly place?: Place;
  /** What somebody wrote into the shipped file. */
  readonly change?: (recipe: string) => string;
  readonly chain?: readonly Certificate[];
  /** The proxy leads to a port where nobody listens. */
  readonly isServerGone?: boolean;
  /** What is typed, where it is not the right address. */
  readonly typed?: (ports: { readonly http: number; readonly https: number }) => string;
  /** The finding that has to be there, and its remedy. */
  readonly severity: 'problem' | 'warning';
  readonly text: RegExp;
  readonly remedy: RegExp;
}

const intermediate = makeCertificate({ name: 'Test intermediate', issuer: root, isAuthority: true });

const FAULTS: readonly Fault[] = [
  {
    title: 'a limit for bodies',
    proxy: 'nginx',
    change: (recipe) => recipe.replace('client_max_body_size 0;', 'client_max_body_size 1m;'),
    severity: 'problem',
    text: /a body of 2\.0 MiB does not reach the server, bodies up to 64\.0 KiB does: 413 .*nginx/,
    remedy: /client_max_body_size 0/,
  },
  {
    title: 'a limit for bodies that is noticed on the way',
    proxy: 'caddy',
    change: (recipe) => recipe.replace('\treverse_proxy', '\trequest_body {\n\t\tmax_size 1MB\n\t}\n\treverse_proxy'),
    severity: 'problem',
    text: /a body of 2\.0 MiB does not reach the server/,
    remedy: /leave out request_body|log of the proxy/,
  },
  {
    title: 'a header that is dropped',
    proxy: 'nginx',
    change: (recipe) => recipe.replace('proxy_set_header Host $host;', 'proxy_set_header anki-sync "";'),
    severity: 'problem',
    text: /the header anki-sync does not reach the server/,
    remedy: /pass on all headers/,
  },
  {
    title: 'requests that are kept until they are complete',
    proxy: 'nginx',
    change: (recipe) => recipe.replace('proxy_request_buffering off;', ''),
    severity: 'warning',
    text: /keeps a request until all of it has come/,
    remedy: /proxy_request_buffering off/,
  },
  {
    title: 'a certificate that has expired',
    proxy: 'nginx',
    chain: [makeCertificate({ name: 'localhost', issuer: root, hosts, days: { from: -90, to: -3 } })],
    severity: 'problem',
    text: /the certificate has expired: it was good until 20/,
    remedy: /Renew it/,
  },
  {
    title: 'a certificate that ends soon',
    proxy: 'haproxy',
    chain: [makeCertificate({ name: 'localhost', issuer: root, hosts, days: { from: -80, to: 5 } })],
    severity: 'warning',
    text: /in [45] days/,
    remedy: /Renew it/,
  },
  {
    title: 'a certificate for another name',
    proxy: 'caddy',
    chain: [makeCertificate({ name: 'other.example', issuer: root, hosts: ['other.example'] })],
    severity: 'problem',
    // Caddy does not show it to somebody who asks for another name.
    text: /not for localhost but for DNS:other\.example|no TLS connection can be made/,
    remedy: /name|log of the proxy/,
  },
  {
    title: 'a chain without its intermediate',
    proxy: 'nginx',
    chain: [makeCertificate({ name: 'localhost', issuer: intermediate, hosts })],
    severity: 'problem',
    text: /the certificate of the issuer \(Test intermediate\) is missing/,
    remedy: /whole chain \(fullchain\.pem\)/,
  },
  {
    title: 'an authority that nobody knows',
    proxy: 'haproxy',
    chain: [makeCertificate({ name: 'localhost', hosts })],
    severity: 'problem',
    text: /an authority that nobody knows/,
    remedy: /public authority/,
  },
  {
    title: 'TLS 1.2 alone',
    proxy: 'nginx',
    change: (recipe) => recipe.replace('ssl_protocols TLSv1.2 TLSv1.3;', 'ssl_protocols TLSv1.2;'),
    severity: 'warning',
    text: /only TLS 1\.2 is offered/,
    remedy: /ssl_protocols TLSv1\.2 TLSv1\.3/,
  },
  {
    title: 'TLS 1.3 alone',
    proxy: 'haproxy',
    change: (recipe) => recipe.replace('ssl-min-ver TLSv1.2', 'ssl-min-ver TLSv1.3'),
    severity: 'problem',
    text: /TLS 1\.2 is not offered/,
    remedy: /AnkiMobile/,
  },
  {
    title: 'an address that leads elsewhere',
    proxy: 'nginx',
    typed: ({ http }) => `http://localhost:${http}/`,
    severity: 'problem',
    text: /sent elsewhere: 308 to https:\/\/localhost:\d+\/sync\/meta/,
    remedy: /Type https:\/\/localhost:\d+\/ into Anki/,
  },
  {
    title: 'http in place of https',
    proxy: 'nginx',
    typed: ({ https }) => `http://localhost:${https}/`,
    severity: 'problem',
    text: /answered by somebody else: 400/,
    remedy: /did not understand/,
  },
  {
    title: 'a server that is gone',
    proxy: 'apache',
    isServerGone: true,
    severity: 'problem',
    text: /answered by somebody else: 503/,
    remedy: /does not reach the server/,
  },
  {
    title: 'a path that leads nowhere, answered with an empty page',
    proxy: 'caddy',
    place: 'subpath',
    typed: ({ https }) => `https://localhost:${https}/elsewhere/`,
    severity: 'problem',
    text: /answered by somebody else: 200/,
    remedy: /no rule for the path/,
  },
  {
    title: 'a path that leads nowhere',
    proxy: 'nginx',
    place: 'subpath',
    typed: ({ https }) => `https://localhost:${https}/elsewhere/`,
    severity: 'problem',
    text: /answered by somebody else: 40[45]/,
    remedy: /path/,
  },
  {
    title: 'a missing slash that the proxy does not make up for',
    proxy: 'nginx',
    place: 'subpath',
    change: (recipe) => recipe.replace('^/(?:anki/)?', '^/anki/'),
    typed: ({ https }) => `https://localhost:${https}/anki`,
    severity: 'problem',
    text: /the slash at the end of the address is missing/,
    remedy: /Type https:\/\/localhost:\d+\/anki\/ into Anki/,
  },
  {
    title: 'a path that works with the slash only',
    proxy: 'apache',
    place: 'subpath',
    change: (recipe) => recipe.replaceAll(/^ *ProxyPass \/m?sync\/.*\n/gm, ''),
    severity: 'warning',
    text: /works with the slash at its end only/,
    remedy: /\/sync\/ and \/msync\//,
  },
];

describe('the doctor outside', { concurrency: 2 }, () => {
  let folder = '';
  let trust: Record<string, string> = {};
  let server: Server | undefined;

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'anki-doctor-'));
    await writeFile(path.join(folder, 'root.pem'), root.pem);
    // A low limit, so that large bodies are quickly sent.
    trust = { NODE_EXTRA_CA_CERTS: path.join(folder, 'root.pem'), MAX_SYNC_PAYLOAD_MEGS: '5', SYNC_USER1: 'a:b' };
    server = await startServer({ env: { MAX_SYNC_PAYLOAD_MEGS: '5' } });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  for (const name of PROXY_NAMES) {
    for (const place of PLACES) {
      test(`finds nothing wrong with ${name} at ${place === 'root' ? 'the root' : 'a subpath'} as it is shipped`, async (context) => {
        if (!(await canRun(name, context)) || server === undefined) return;
        await using proxy = await startRecipe(name, place, { serverUrl: server.url, chain: [leaf] });
        const url = `https://localhost:${proxy.httpsPort}/${place === 'root' ? '' : 'anki/'}`;
        const report = await runDoctor([url, '--only-outside'], trust);
        assert.equal(report.worst, 'ok', report.text);
        assert.equal(report.exitCode, 0);
        assertFinds(report, 'ok', /bodies up to 5\.0 MiB reach the server, which is its own limit/);
        assertFinds(report, 'ok', /reach the server while they are being sent/);
      });
    }
  }

  for (const fault of FAULTS) {
    test(`names ${fault.title} (${fault.proxy}), and what to do`, async (context) => {
      if (!(await canRun(fault.proxy, context)) || server === undefined) return;
      const { place = 'root', chain = [leaf], change, typed } = fault;
      const serverUrl = fault.isServerGone === true ? `http://127.0.0.1:${await freePort()}/` : server.url;
      const options = { serverUrl, chain, ...(change !== undefined && { change }) };
      await using proxy = await startRecipe(fault.proxy, place, options);
      const ports = { http: proxy.httpPort, https: proxy.httpsPort };
      const url = typed?.(ports) ?? `https://localhost:${ports.https}/${place === 'root' ? '' : 'anki/'}`;
      const report = await runDoctor([url, '--only-outside'], trust);
      assertFinds(report, fault.severity, fault.text, fault.remedy);
      assert.equal(report.exitCode, report.worst === 'problem' ? 1 : 0);
    });
  }

  test('names another application, and a name that nobody has', async () => {
    const page = '<html><title>My photos</title></html>';
    const other = createServer((_request, response) => response.end(page)).listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const { port } = other.address() as AddressInfo; // It listens on a port by now.
      const report = await runDoctor([`http://127.0.0.1:${port}/`, '--only-outside']);
      assertFinds(report, 'problem', /answered by somebody else: 200 OK, "My photos"/, /Another application/);
    } finally {
      other.close();
    }
    assertFinds(
      await runDoctor(['https://nobody.invalid/', '--only-outside']),
      'problem',
      /nobody\.invalid cannot be looked up/,
      /AAAA/,
    );
    const closed = `http://127.0.0.1:${await freePort()}/`;
    assertFinds(await runDoctor([closed, '--only-outside']), 'problem', /ECONNREFUSED/, /no program listens/);
    assertFinds(
      await runDoctor(['https://sync.ankiweb.net/', '--only-outside']),
      'problem',
      /is AnkiWeb/,
      /typed into Anki/,
    );
    assertFinds(
      await runDoctor(['sync.example.org', '--only-outside']),
      'problem',
      /is not an address that begins with/,
      /https/,
    );
  });

  test('names bodies that are compressed for clients that do not ask for it', async () => {
    const gzip = createServer((request, response) => {
      request.resume();
      response.writeHead(403, { 'content-encoding': 'gzip' }).end('403');
    }).listen(0, '127.0.0.1');
    await once(gzip, 'listening');
    try {
      const { port } = gzip.address() as AddressInfo; // It listens on a port by now.
      const report = await runDoctor([`http://127.0.0.1:${port}/`, '--only-outside'], trust);
      assertFinds(report, 'problem', /compresses answers \(gzip\)/, /gzip off/);
    } finally {
      gzip.close();
    }
  });
});

async function canRun(name: ProxyName, context: TestContext): Promise<boolean> {
  const proxy = await prepareProxy(name);
  if (proxy.kind === 'missing') context.skip(`${name} ${proxy.reason}`);
  return proxy.kind === 'ready';
}

function assertFinds(report: DoctorReport, severity: string, text: RegExp, remedy: RegExp = /^/): void {
  const found = report.findings.some(
    (finding) => finding.severity === severity && text.test(finding.text) && remedy.test(finding.remedy ?? ''),
  );
  assert.ok(found, `no ${severity} ${text} with ${remedy} in\n${report.text}`);
}
