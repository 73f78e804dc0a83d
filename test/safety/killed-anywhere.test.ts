import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  bytesBeforeNames,
  everything,
  namesBeforeBytes,
  onlyDurable,
  type Survival,
  torn,
} from '../support/faults/disk-image.ts';
import { CHANGING_CALLS, Faults } from '../support/faults/faults.ts';
import { skipWithoutFaults } from '../support/faults/faults-library.ts';
import type { TraceRecord } from '../support/faults/trace.ts';
import { Random } from '../support/random.ts';
import { startServer } from '../support/server.ts';
import { checkModel } from './account-checks.ts';
import { fastFolder } from './fast-folder.ts';
import { type Cut, checkCuts } from './image-checks.ts';
import { isLong, seedOf } from './random.ts';
import { type Recording, record } from './recording.ts';
import { lifeOfAnAccount, nothing, type Operation, undoing } from './script.ts';
import { SyncDevice } from './sync-device.ts';

const seed = seedOf(1);
const skip = skipWithoutFaults();
const life = lifeOfAnAccount();

let recorded: Promise<Recording> | undefined;

/** One life of an account for all tests of this file. */
function recording(): Promise<Recording> {
  recorded ??= life.then((operations) => record([...operations, ...undoing()]));
  return recorded;
}

/** Writes follow each other by the dozen and look alike; names and syncs are where an order can be wrong. */
function cutsOf(trace: readonly TraceRecord[], shares: { readonly writes: number; readonly others: number }): number[] {
  const dice = new Random(seed);
  const all = Array.from({ length: trace.length + 1 }, (_, at) => at);
  if (isLong) return all;
  return all.filter((at) => {
    const kind = trace[at]?.kind ?? 'sync';
    return dice.chance(kind === 'write' || kind === 'send' ? shares.writes : shares.others);
  });
}

test('whatever a server was doing when it was killed, the account is as before or as after, and syncs go on', {
  skip,
}, async (t) => {
  const recording_ = await recording();
  const { trace } = recording_;
  const cuts = cutsOf(trace, { writes: 0.08, others: 0.35 }).flatMap((at): Cut[] => {
    const whole: Cut = { at, survival: everything, label: 'killed' };
    if (trace[at - 1]?.kind !== 'write' || (at % 3 !== 0 && !isLong)) return [whole];
    return [
      whole,
      { at, survival: (_record, index) => (index === at - 1 ? 'first half' : 'all'), label: 'killed in a write' },
    ];
  });
  const outcome = await checkCuts(recording_, cuts);
  t.diagnostic(`seed ${seed}: ${outcome.cuts} of ${trace.length} moments, ${outcome.images} different disks`);
  assert.deepEqual(outcome.failures, []);
});

const survivals: readonly (readonly [string, Survival])[] = [
  ['only what was synced', onlyDurable],
  ['names before bytes', namesBeforeBytes],
  ['bytes before names', bytesBeforeNames],
  ['some of it, torn', torn(seed)],
  ['some of it, torn otherwise', torn(seed + 1)],
];

test('what was acknowledged survives a power cut at any moment, whatever the disk had not written yet', {
  skip,
}, async (t) => {
  const recording_ = await recording();
  const { trace } = recording_;
  const chosen = cutsOf(trace, { writes: 0.08, others: 0.5 });
  const cuts = chosen.flatMap((at, index) =>
    survivals
      .filter((_one, number) => isLong || number === 0 || number === 1 + (index % (survivals.length - 1)))
      .map(([label, survival]): Cut => ({ at, survival, label: `power cut, ${label}` })),
  );
  const outcome = await checkCuts(recording_, cuts);
  t.diagnostic(`seed ${seed}: ${outcome.cuts} power cuts, ${outcome.images} different disks`);
  assert.deepEqual(outcome.failures, []);
});

test('a server that dies of a signal at any of its file calls loses nothing that it acknowledged', {
  skip,
}, async (t) => {
  const steps = (await recording()).trace.filter(({ kind }) => kind !== 'send').length;
  const dice = new Random(seed);
  const deaths = isLong ? steps : 8;
  const survived: string[] = [];
  for (let death = 1; death <= deaths; death++) {
    const at = isLong
      ? death
      : dice.integer(Math.floor(((death - 1) * steps) / deaths) + 1, Math.floor((death * steps) / deaths));
    const hit = await dieAt(at, death % 2 === 0 ? 'die in' : 'die before');
    if (hit !== undefined) survived.push(hit);
  }
  t.diagnostic(`seed ${seed}: ${survived.length} deaths in ${steps} file calls`);
  assert.ok(survived.length > deaths / 2, 'most of the deaths happened');
});

/** What the second upload replaces comes back with the media that were there at that time. */
async function lifeAndUndoing(): Promise<readonly Operation[]> {
  const operations = await life;
  const secondUpload = operations.findIndex(({ name }) => name === 'second full upload');
  const replaced = operations.slice(0, secondUpload).reduce((model, { after }) => after(model), nothing);
  return [...operations, ...undoing(replaced)];
}

/** Runs the life until the process dies at that call, starts it again and checks. Returns the call. */
async function dieAt(at: number, mode: 'die before' | 'die in'): Promise<string | undefined> {
  const base = fastFolder('dying-');
  using faults = new Faults(base);
  try {
    await using server = await startServer({ kind: 'ours', base, env: faults.environment });
    const [user = ''] = server.users;
    const device = new SyncDevice(server.rawClient());
    let model = nothing;
    let possible = [model];
    faults.arm({ mode, calls: CHANGING_CALLS, at });
    for (const operation of await lifeAndUndoing()) {
      possible = [model, operation.after(model), ...(operation.onTheWay?.(model) ?? [])];
      try {
        await operation.run(device, server);
      } catch (error) {
        if (faults.hit === undefined) throw error;
        break;
      }
      model = operation.after(model);
      possible = [model];
    }
    const { hit } = faults;
    faults.disarm();
    await server.kill();
    await server.start();
    await checkModel(server.rawClient(), path.join(base, user), possible);
    return hit;
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
