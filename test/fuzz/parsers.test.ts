import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLong, seedOf } from '../safety/random.ts';
import { Random } from '../support/random.ts';
import { Mutator } from './mutate.ts';
import { corpusOf } from './recorded.ts';
import { isRefusal, TARGETS, type Target } from './targets.ts';

const seed = seedOf(1);
const inputsWanted = isLong ? 2_000_000 : 300_000;
/** One input may not take longer, milliseconds: far more than a busy machine needs. */
const inputMsMax = 5_000;
const memoryMiBMax = 300;

const shares = TARGETS.reduce((sum, { share }) => sum + share, 0);

/** What is wrong with how the target takes this input; undefined when nothing is. */
async function findingOf(target: Target, input: Buffer): Promise<string | undefined> {
  const startedMs = performance.now();
  try {
    await target.run(input);
  } catch (error) {
    if (!isRefusal(error)) return error instanceof Error ? String(error.stack) : String(error);
  }
  const tookMs = performance.now() - startedMs;
  return tookMs > inputMsMax ? `took ${Math.round(tookMs)} ms` : undefined;
}

for (const target of TARGETS) {
  const inputs = Math.ceil((inputsWanted * target.share) / shares);

  test(`${target.name}: whatever comes is read or refused, at once and without growing`, async (t) => {
    const dice = new Random(seed);
    const mutator = new Mutator(dice);
    assert.ok(target.seeds.length > 0, 'there is something to begin with');
    const known = [...target.seeds.map((bytes) => Buffer.from(bytes)), ...corpusOf(target.name)];
    for (const input of known) assert.equal(await findingOf(target, input), undefined, `corpus: ${show(input)}`);
    let rssBefore = 0;
    for (let count = 0; count < inputs; count++) {
      // Memory outside of the heap is given back between two events, as a server has them.
      if (count % 50 === 0) await new Promise(setImmediate);
      // By then all caches are as full as they get.
      if (count === Math.floor(inputs / 2)) rssBefore = process.memoryUsage.rss();
      const bytes = dice.pick(known);
      const input = isJson(bytes) && dice.chance(0.6) ? mutatedJson(mutator, bytes) : mutator.bytes(bytes, known);
      const finding = await findingOf(target, input);
      assert.equal(finding, undefined, `seed ${seed}, input ${count}: ${show(input)}`);
    }
    const grownMiB = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
    assert.ok(grownMiB < memoryMiBMax, `the process grew by ${Math.round(grownMiB)} MiB`);
    t.diagnostic(`${inputs} inputs`);
  });
}

function isJson(bytes: Uint8Array): boolean {
  return bytes[0] === 0x5b || bytes[0] === 0x7b;
}

function mutatedJson(mutator: Mutator, bytes: Buffer): Buffer {
  try {
    return Buffer.from(JSON.stringify(mutator.json(JSON.parse(bytes.toString()))));
  } catch {
    return mutator.bytes(bytes);
  }
}

/** To be put into the corpus as it is. */
function show(input: Buffer): string {
  return `base64 ${input.toString('base64').slice(0, 3000)}`;
}
