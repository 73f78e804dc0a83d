import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Certificate, makeCertificate } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import type { PreparedProxy, ProxyName } from './debian-proxies.ts';

const startMsMax = 20_000;
const logCharsKept = 20_000;

/** The files of certificates that a proxy is given. */
export interface CertificateFiles {
  /** The chain, leaf first. */
  readonly chain: string;
  readonly key: string;
  /** Both in one file, as HAProxy wants them. */
  readonly both: string;
}

/** What a test puts in the place of what a recipe says for `sync.example.org`. */
export interface Surroundings {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly upstreamPort: number;
  readonly certificate: CertificateFiles;
}

/** A root of its own, and a certificate of it for localhost. */
export function testAuthority(): { readonly root: Certificate; readonly leaf: Certificate } {
  const root = makeCertificate({ name: 'Test root', isAuthority: true });
  return { root, leaf: makeCertificate({ name: 'localhost', issuer: root, hosts: ['localhost', '127.0.0.1'] }) };
}

/** Writes a chain and its key into a folder. */
export async function writeCertificate(folder: string, chain: readonly Certificate[]): Promise<CertificateFiles> {
  const files = {
    chain: path.join(folder, 'chain.pem'),
    key: path.join(folder, 'key.pem'),
    both: path.join(folder, 'both.pem'),
  };
  const [pem, key] = [chain.map((each) => each.pem).join(''), chain[0]?.keyPem ?? ''];
  await writeFile(files.chain, pem);
  await writeFile(files.key, key);
  await writeFile(files.both, pem + key);
  return files;
}

/**
 * A shipped recipe with the changes that everybody has to make: name, paths of the certificate, and (because a test may
 * not use the real ones) addresses to listen on and the server's port. `docs/proxies.md` lists them.
 */
export function adaptRecipe(recipe: string, { httpPort, httpsPort, upstreamPort, certificate }: Surroundings): string {
  return recipe
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${upstreamPort}`)
    .replaceAll('/etc/ssl/sync.example.org/fullchain-and-key.pem', certificate.both)
    .replaceAll('/etc/ssl/sync.example.org/fullchain.pem', certificate.chain)
    .replaceAll('/etc/ssl/sync.example.org/privkey.pem', certificate.key)
    .replaceAll(/^ +listen \[::\]:.*\n/gm, '') // nginx; not every machine has IPv6.
    .replaceAll(/\blisten (80|443)\b/g, (_, port) => `listen 127.0.0.1:${port === '80' ? httpPort : httpsPort}`)
    .replaceAll('https://$host', `https://$host:${httpsPort}`)
    .replaceAll(/<VirtualHost \*:(80|443)>/g, (_, port) => `<VirtualHost *:${port === '80' ? httpPort : httpsPort}>`)
    .replaceAll('https://sync.example.org/', `https://localhost:${httpsPort}/`)
    .replaceAll(/:::(80|443) v4v6/g, (_, port) => `127.0.0.1:${port === '80' ? httpPort : httpsPort}`) // HAProxy
    .replaceAll(/^sync\.example\.org \{/gm, `https://localhost:${httpsPort} {`) // Caddy
    .replaceAll(/^\t# (tls \/.*)$/gm, '\t$1')
    .replaceAll('sync.example.org', 'localhost');
}

/** A proxy that runs in the foreground, with its configuration, its process id and its files in a temporary folder. */
export class RunningProxy implements AsyncDisposable {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly #folder: string;
  readonly #child: ChildProcess;
  #log = '';

  /**
   * Starts a proxy in front of the server at `upstreamPort`.
   *
   * @param recipe text of a recipe, see `adaptRecipe`.
   * @param chain certificate that it shows, leaf first.
   */
  static async start(options: {
    readonly name: ProxyName;
    readonly program: Extract<PreparedProxy, { kind: 'ready' }>;
    readonly recipe: string;
    readonly upstreamPort: number;
    readonly chain: readonly Certificate[];
  }): Promise<RunningProxy> {
    const { name, program, recipe, upstreamPort, chain } = options;
    const folder = await mkdtemp(path.join(os.tmpdir(), `anki-${name}-`));
    await mkdir(path.join(folder, 'files'));
    const certificate = await writeCertificate(folder, chain);
    const [httpPort, httpsPort] = [await freePort(), await freePort()];
    const surroundings = { httpPort, httpsPort, upstreamPort, certificate };
    await writeFile(path.join(folder, 'recipe.conf'), adaptRecipe(recipe, surroundings));
    await writeFile(path.join(folder, 'main.conf'), mainConfig(name, { folder, program, httpPort, httpsPort }));
    const proxy = new RunningProxy({ folder, name, program, httpPort, httpsPort });
    await proxy.#untilItListens();
    return proxy;
  }

  private constructor(options: Layout & { readonly name: ProxyName }) {
    const { folder, name, program } = options;
    this.#folder = folder;
    this.httpPort = options.httpPort;
    this.httpsPort = options.httpsPort;
    const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, LD_LIBRARY_PATH: program.libraries };
    this.#child = spawn(program.program, argumentsOf(name, folder), { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-logCharsKept);
      });
    }
    this.#child.on('error', (error) => {
      this.#log += error.message;
    });
  }

  /** What the proxy printed. */
  get log(): string {
    return this.#log;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  async #untilItListens(): Promise<void> {
    for (let waitedMs = 0; waitedMs < startMsMax && !this.#hasEnded; waitedMs += 50) {
      if (await isListening(this.httpsPort)) return;
      await sleep(50);
    }
    const config = await readFile(path.join(this.#folder, 'recipe.conf'), 'utf8');
    const errors = await readFile(path.join(this.#folder, 'files/error.log'), 'utf8').catch(() => ''); // Apache's.
    await this[Symbol.asyncDispose]();
    throw new Error(`the proxy does not listen:\n${this.#log}${errors}\n${config}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(timer);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Layout {
  readonly folder: string;
  readonly program: Extract<PreparedProxy, { kind: 'ready' }>;
  readonly httpPort: number;
  readonly httpsPort: number;
}

function argumentsOf(name: ProxyName, folder: string): readonly string[] {
  const main = path.join(folder, 'main.conf');
  switch (name) {
    case 'nginx':
      return ['-p', folder, '-e', 'stderr', '-c', main];
    case 'apache':
      return ['-d', folder, '-f', main, '-DFOREGROUND'];
    case 'haproxy':
      return ['-db', '-f', main, '-f', path.join(folder, 'recipe.conf')];
    case 'caddy':
      return ['run', '--config', main, '--adapter', 'caddyfile'];
    default:
      return name satisfies never;
  }
}

/** The part of the settings that a distribution brings along: it reads the recipe and keeps everything in one folder. */
function mainConfig(name: ProxyName, { folder, program, httpPort, httpsPort }: Layout): string {
  const recipe = path.join(folder, 'recipe.conf');
  const isRoot = process.getuid?.() === 0;
  const modules = [
    'mpm_event',
    'authz_core',
    'ssl',
    'socache_shmcb',
    'proxy',
    'proxy_http',
    'alias',
    'reqtimeout',
    'deflate',
    'filter',
    'headers',
    'env',
  ];
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/files/${kind};`,
  );
  switch (name) {
    case 'nginx':
      return `${isRoot ? 'user root;\n' : ''}daemon off;\nworker_processes 1;\npid ${folder}/pid;\nevents {}
http {\n  access_log off;\n  gzip on;\n  gzip_types *;\n  ${temp.join('\n  ')}\n  include ${recipe};\n}\n`;
    case 'apache':
      return `${modules.map((module) => `LoadModule ${module}_module ${program.modules}/mod_${module}.so\n`).join('')}
${isRoot ? 'User #65534\nGroup #65534\n' : ''}ServerName localhost\nPidFile ${folder}/pid\nErrorLog ${folder}/files/error.log\nDefaultRuntimeDir ${folder}/files
Listen 127.0.0.1:${httpPort}\nListen 127.0.0.1:${httpsPort} https\nMutex pthread\nSetOutputFilter DEFLATE\nInclude ${recipe}\n`;
    case 'haproxy':
      return 'global\n    log stdout format raw local0\n    maxconn 200\n';
    case 'caddy':
      return `{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n\tstorage file_system ${folder}/files\n}\nimport ${recipe}\n`;
    default:
      return name satisfies never;
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
