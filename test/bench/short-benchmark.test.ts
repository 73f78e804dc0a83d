import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readOptions } from '../../bench/options.ts';
import { SCENARIOS } from '../../bench/scenarios/all.ts';
import { CURVES } from '../../bench/scenarios/curves.ts';
import { soak } from '../../bench/scenarios/soak.ts';
import { projectFolder, type ServerKind } from '../../bench/servers/server-process.ts';
import { World } from '../../bench/world.ts';
import { newestClient } from '../support/clients.ts';
import { preparePythonEnv } from '../support/python-envs.ts';

// The benchmark with tiny amounts: every answer of both servers is checked, and no figure is judged.

const skipped = process.platform !== 'linux' ? 'processor time and memory are read from /proc' : false;
const official = skipped === false ? await preparePythonEnv(newestClient) : undefined;
const { amounts } = readOptions(['--quick']);

for (const kind of ['ours', 'official'] as const satisfies readonly ServerKind[]) {
  const missing = kind === 'official' && official?.kind === 'missing' ? official.reason : skipped;
  for (const scenario of [...SCENARIOS, ...CURVES, soak]) {
    test(`${scenario.name}: the answers of the ${kind} server are right`, { skip: missing }, async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
      const commands = {
        ours: [path.join(projectFolder, 'bin/anki-sync-server')],
        official: official?.kind === 'ready' ? [official.python, '-m', 'anki.syncserver'] : undefined,
        prefix: [],
      };
      const world = new World(kind, amounts, commands, folder);
      try {
        await scenario.run(world);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
      assert.ok(world.measures.length > 0);
      for (const { work, what, value } of world.measures)
        assert.ok(Number.isFinite(value), `${work}, ${what}: ${value}`);
    });
  }
}
