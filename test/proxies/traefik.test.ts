import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { newestClient } from '../support/clients.ts';
import { preparePythonEnv } from '../support/python-envs.ts';
import { PLACES, recipesFolder } from './recipes.ts';

const run = promisify(execFile);
const library = path.join(import.meta.dirname, '../../.cache/proxies/pyyaml');

interface Dynamic {
  readonly http: {
    readonly routers: Readonly<
      Record<string, { rule: string; entryPoints: string[]; service: string; middlewares?: string[] }>
    >;
    readonly services: Readonly<Record<string, { loadBalancer: { servers: { url: string }[] } }>>;
    readonly middlewares?: Readonly<Record<string, unknown>>;
  };
}

interface Static {
  readonly entryPoints: Readonly<Record<string, { transport?: { respondingTimeouts?: { readTimeout?: string } } }>>;
}

/** Reads YAML by PyYAML, which is fetched from PyPI once. Undefined when it cannot be had; then the test is skipped. */
async function readYaml<Content>(name: string, context: TestContext): Promise<Content | undefined> {
  const client = await preparePythonEnv(newestClient);
  if (client.kind === 'missing') {
    context.skip(`a reader of YAML ${client.reason}`);
    return undefined;
  }
  if (!existsSync(path.join(library, 'yaml'))) {
    const install = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--target',
      library,
      'pyyaml==6.0.2',
    ];
    await run(client.python, install, { timeout: 120_000 });
  }
  const program = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))';
  const parsing = run(client.python, ['-c', program], { env: { ...process.env, PYTHONPATH: library } });
  parsing.child.stdin?.end(await readFile(path.join(recipesFolder, 'traefik', name)));
  return JSON.parse((await parsing).stdout) as Content; // The tests look at what they use of it.
}

for (const place of PLACES) {
  test(`the file for Traefik at ${place === 'root' ? 'the root' : 'a subpath'} is valid YAML, and its parts fit together`, async (context) => {
    const settings = await readYaml<Static>('traefik.yml', context);
    const dynamic = await readYaml<Dynamic>(`${place}.yml`, context);
    if (settings === undefined || dynamic === undefined) return;
    const { routers, services, middlewares = {} } = dynamic.http;
    const router = routers['anki-sync'];
    assert.ok(router !== undefined);
    assert.match(router.rule, /^Host\(`sync\.example\.org`\)/);
    assert.equal(services[router.service]?.loadBalancer.servers[0]?.url, 'http://127.0.0.1:8080');
    for (const name of router.middlewares ?? []) assert.ok(name in middlewares, name);
    assert.equal(router.middlewares?.length ?? 0, place === 'root' ? 0 : 1);
    for (const name of router.entryPoints) {
      const entryPoint: Static['entryPoints'][string] | undefined = settings.entryPoints[name];
      assert.equal(
        entryPoint?.transport?.respondingTimeouts?.readTimeout,
        '0s',
        `${name} lets large uploads take their time`,
      );
    }
  });
}
