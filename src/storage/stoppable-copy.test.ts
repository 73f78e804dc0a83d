import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { copyUnlessStopped, StopSign } from './stoppable-copy.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'anki-copy-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a copy has the same bytes, whatever the length', () => {
  for (const bytes of [0, 1, 4 * 1024 * 1024, 9_000_001]) {
    const source = path.join(folder, 'source');
    const target = path.join(folder, `copy-${bytes}`);
    const content = Buffer.alloc(bytes, 'content');
    writeFileSync(source, content);
    assert.equal(copyUnlessStopped(source, target, new StopSign()), true);
    assert.ok(readFileSync(target).equals(content), `${bytes} bytes`);
  }
});

test('a copy that is stopped says so, also by another holder of the same sign', () => {
  const source = path.join(folder, 'stopped');
  writeFileSync(source, 'content');
  const sign = new StopSign();
  new StopSign(sign.memory).set();
  assert.equal(copyUnlessStopped(source, path.join(folder, 'never'), sign), false);
});

test('a file that is there is not overwritten by a copy', () => {
  const [source, target] = [path.join(folder, 'one'), path.join(folder, 'two')];
  writeFileSync(source, 'one');
  writeFileSync(target, 'two');
  assert.throws(() => copyUnlessStopped(source, target, new StopSign()));
});
