import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { readListeners } from '../../src/config/listen-settings.ts';
import { readProxies } from '../../src/config/proxy-settings.ts';
import { loadTlsIdentity } from '../../src/transport/tls-identity.ts';
import { prepareDebianTool } from './debian-tool.ts';
import { Program } from './program.ts';
import { ask } from './requests.ts';

const run = promisify(execFile);
const page = await readFile(path.join(import.meta.dirname, '../../docs/network.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);

/** The values that the page's examples give to a variable. */
function examplesOf(variable: string): string[] {
  const values = [...blocks.join('').matchAll(new RegExp(`^${variable}=(?:'([^']*)'|(\\S+))`, 'gm'))];
  assert.ok(values.length > 0, `the page has no example of ${variable}`);
  return values.map(([, quoted, plain]) => quoted ?? plain ?? '');
}

/** The machine's own openssl, or Debian's unpacked. */
async function opensslEnvironment(): Promise<Record<string, string> | { readonly missing: string }> {
  const { PATH = '' } = process.env;
  try {
    execFileSync('openssl', ['version']);
    return { PATH };
  } catch {
    const tool = await prepareDebianTool(['openssl', 'libssl3']);
    if (tool.kind === 'missing') return { missing: `openssl ${tool.reason}` };
    const [libraries = ''] = globSync(path.join(tool.root, 'usr/lib/*-linux-gnu'));
    return { PATH: `${path.join(tool.root, 'usr/bin')}:${PATH}`, LD_LIBRARY_PATH: libraries };
  }
}

test('the certificate that the page makes with openssl works', async (context) => {
  const env = await opensslEnvironment();
  if ('missing' in env) return context.skip(env.missing);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-page-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const commands = blocks.find((block) => block.startsWith('openssl '));
  assert.ok(commands !== undefined);
  await run('sh', ['-e', '-c', commands], { cwd: folder, env });
  const files = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  assert.deepEqual(loadTlsIdentity(files, Date.now()).warnings, []);
  const tls = { SYNC_TLS_CERT: files.cert, SYNC_TLS_KEY: files.key };
  await using server = await Program.start({ env: { ...tls, SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } });
  const ca = await readFile(path.join(folder, 'root.pem'), 'utf8');
  assert.equal((await ask({ tls: true, port: await server.port(), ca, servername: 'localhost' })).status, 200);
});

test('the examples of the page are settings that the server takes', () => {
  const problems: string[] = [];
  for (const list of examplesOf('SYNC_LISTEN')) {
    const context = { own: { host: '0.0.0.0', port: 8080 }, hasCertificate: true, pid: 1 };
    assert.equal(readListeners({ SYNC_LISTEN: list }, context, problems).length, 3);
  }
  for (const list of examplesOf('SYNC_TRUSTED_PROXIES'))
    readProxies({ SYNC_TRUSTED_PROXIES: list }, problems, problems);
  assert.deepEqual(problems, []);
});

test('the line that the page shows is the line that is written', async () => {
  await using server = await Program.start({ env: { SYNC_HOST: '127.0.0.1', SYNC_PORT: '0' } });
  await server
    .rawClient(`http://127.0.0.1:${await server.port()}/`)
    .login('ann', 'wrong')
    .catch(() => {});
  const [written] = await server.printed(/^.*login refused.*$/m);
  const [shown] = /^.*login refused.*$/m.exec(page) ?? [];
  const shape = (line = '') => line.replace(/^\S+Z/, 'TIME').replace(/addr="[^"]*"/, 'addr=""');
  assert.equal(shape(written), shape(shown));
});
