import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ROOT } from '../../scripts/build/project.ts';
import { freePort } from '../support/free-port.ts';
import { unpackedPackages, whyNoCleanRoot } from './support/clean-root.ts';
import { Container, statusOf } from './support/container.ts';
import { isIgnored, parseCopy, parseDockerfile } from './support/dockerfile.ts';
import { exchangeEverything } from './support/exchange.ts';
import { buildImage, type Image } from './support/image.ts';
import { Program } from './support/program.ts';

const skip = whyNoCleanRoot() ?? false;

suite('the image, made by the steps of the Dockerfile in a clean Debian', { skip }, () => {
  let work = '';
  let image: Image;
  before(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'anki-image-'));
    image = buildImage(work);
  });
  after(() => rm(work, { recursive: true, force: true }));

  /** A data folder of that account, and the settings of a server on a port that was free a moment ago. */
  async function surroundings(name: string, owner: number) {
    const data = path.join(work, name);
    await mkdir(data);
    chownSync(data, owner, owner);
    const env = { SYNC_USER1: 'ann:secret', SYNC_HOST: '127.0.0.1', SYNC_PORT: String(await freePort()) };
    return { data, env };
  }

  test('it syncs without any right of root, with all files read-only but the data, and leaves no dead process', async () => {
    const { data, env } = await surroundings('plain', 1000);
    await using container = await Container.start(image, { data, env });
    await exchangeEverything(await container.url(), 'ann', 'secret');
    assert.equal(await statusOf(container, 'Uid'), '1000 1000 1000 1000');
    assert.equal(await statusOf(container, 'Gid'), '1000 1000 1000 1000');
    assert.match(await statusOf(container, 'CapEff'), /^0+$/);
    assert.equal(await statusOf(container, 'NSpid'), `${await container.firstProcess()} 1`);
    await container.healthcheck(env);
    await container.healthcheck(env);
    const states = (await container.processes()).map(({ pid, state }) => `${pid} ${state}`);
    assert.deepEqual(
      states.filter((each) => each.endsWith('Z')),
      [],
    );
    assert.equal(states.length, 1, 'the server is alone in its container');
    assert.ok(existsSync(path.join(data, 'ann/collection.anki2')));
    assert.equal(await container.stop(), 0, container.program.output);
    assert.match(container.program.output, /stopped/);
  });

  test('started as root it becomes the account that PUID and PGID name, and gives it the data', async () => {
    const { data, env } = await surroundings('mapped', 0);
    const mapped = { ...env, PUID: '1234', PGID: '2345' };
    await using container = await Container.start(image, { data, env: mapped, user: '0:0' });
    await exchangeEverything(await container.url(), 'ann', 'secret');
    assert.equal(await statusOf(container, 'Uid'), '1234 1234 1234 1234');
    assert.equal(await statusOf(container, 'Gid'), '2345 2345 2345 2345');
    assert.equal(await statusOf(container, 'Groups'), '');
    assert.match(await statusOf(container, 'CapEff'), /^0+$/);
    assert.equal(await statusOf(container, 'NoNewPrivs'), '1');
    const { uid, gid } = statSync(path.join(data, 'ann/collection.anki2'));
    assert.deepEqual([uid, gid], [1234, 2345]);
    await container.healthcheck(env);
    assert.equal(await container.stop(), 0, container.program.output);
  });

  test('PUID that cannot be followed, or that is root or no number, is refused with the remedy', async () => {
    const cases = [
      { user: '1000:1000', PUID: '1234', expected: /runs as 1000:1000 and cannot change that[\s\S]*user: "0:0"/ },
      { user: '0:0', PUID: '0', expected: /PUID is 0/ },
      { user: '0:0', PUID: 'ann', expected: /are numbers/ },
    ];
    for (const [index, { user, PUID, expected }] of cases.entries()) {
      const { data, env } = await surroundings(`refused${index}`, 1000);
      await using container = await Container.start(image, { data, env: { ...env, PUID }, user });
      assert.equal(await container.program.ended(), 1, container.program.output);
      assert.match(container.program.output, expected);
    }
  });

  test('without users, or with a data folder that it may not write, it says so and ends', async () => {
    const { data, env } = await surroundings('unwritable', 0);
    await using unwritable = await Container.start(image, { data, env });
    assert.equal(await unwritable.program.ended(), 1);
    assert.match(unwritable.program.output, /cannot start: SYNC_BASE/);
  });

  test('it holds no compiler, no tests and no Node besides its own', () => {
    const app = path.join(image.root, 'opt/anki-sync-server');
    for (const name of ['node_modules', 'src', 'test', 'scripts']) {
      assert.equal(existsSync(path.join(app, name)), false, name);
    }
    assert.match(readFileSync(path.join(app, 'dist/licences.txt'), 'utf8'), /^@fastify\/busboy \d/m);
  });
});

test('what the Dockerfile copies passes .dockerignore, and secrets, data and tests do not', () => {
  const patterns = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  const stages = parseDockerfile(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'));
  const copies = stages.flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'COPY'));
  const sources = copies
    .map(({ text }) => parseCopy(text))
    .flatMap((copy) => (copy.from === undefined ? copy.sources : []));
  assert.ok(sources.length > 5);
  assert.deepEqual(
    sources.filter((file) => isIgnored(patterns, file)),
    [],
  );
  for (const file of [
    '.env',
    '.git/config',
    'node_modules/x/index.js',
    'anki_data/ann/collection.anki2',
    'src/a/b.test.ts',
    'test/run.ts',
  ]) {
    assert.ok(isIgnored(patterns, file), file);
  }
  assert.equal(isIgnored(patterns, 'src/cli/serve.ts'), false);
});

test('compose.yaml takes every right away and brings no user or password of its own', { skip }, async () => {
  const library = path.join(await unpackedPackages('yaml', ['python3-yaml']), 'usr/lib/python3/dist-packages');
  const script = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const file = path.join(ROOT, 'compose.yaml');
  const compose = JSON.parse(
    execFileSync('python3', ['-c', script, file], { encoding: 'utf8', env: { ...process.env, PYTHONPATH: library } }),
  );
  const { image: _image, ports: _ports, logging: _logging, ...service } = compose.services['anki-sync-server'];
  assert.deepEqual(service, {
    build: '.',
    user: ['PUID', 'PGID'].map((name) => `$\{${name}:-1000}`).join(':'),
    env_file: '.env',
    volumes: ['anki_data:/anki_data'],
    restart: 'unless-stopped',
    stop_grace_period: '15s',
    init: true,
    read_only: true,
    tmpfs: ['/tmp'],
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    pids_limit: 128,
    mem_limit: '1g',
  });
  const example = readFileSync(path.join(ROOT, 'packaging/container/env.example'), 'utf8');
  assert.match(example, /^SYNC_USER1=$/m);
});

test('where a container builder runs, it builds the Dockerfile', async (t) => {
  const builder = await firstThatWorks([
    ['docker', 'info'],
    ['podman', 'info'],
  ]);
  if (builder === undefined) return t.diagnostic('no builder runs here; the suite above carries the steps out');
  await using build = new Program(builder, {
    args: ['build', '-q', ROOT],
    env: { PATH: process.env['PATH'] ?? '', HOME: os.homedir() },
  });
  assert.equal(await build.ended(), 0, build.output);
});

async function firstThatWorks(commands: readonly (readonly [string, string])[]): Promise<string | undefined> {
  for (const [command, argument] of commands) {
    await using probe = new Program(command, {
      args: [argument],
      env: { PATH: process.env['PATH'] ?? '', HOME: os.homedir() },
    });
    if ((await probe.ended().catch(() => 1)) === 0) return command;
  }
  return undefined;
}
