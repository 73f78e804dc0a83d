import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeZip } from '../support/write-zip.ts';
import { zipEntries } from './zip-entries.ts';

test('what is written into a zip is read from it, in order', () => {
  const zip = writeZip([
    ['0', Buffer.from([0, 255, 80, 75])],
    ['_meta', Buffer.from('[["ä","0"]]')],
  ]);
  assert.deepEqual(zipEntries(zip), [
    ['0', '\0\u00ffPK'],
    ['_meta', [['ä', '0']]],
  ]);
});
