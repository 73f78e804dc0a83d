import assert from 'node:assert/strict';
import { test } from 'node:test';
import { damageFoundBy, findingOf, UnreadablePageError } from './sqlite-damage.ts';

test('an integrity check that finds nothing has no finding, and one that finds something tells it', () => {
  assert.equal(findingOf('ok'), undefined);
  assert.equal(
    findingOf('Tree 5 page 7: btreeInitPage() returns error code 11'),
    'Tree 5 page 7: btreeInitPage() returns error code 11',
  );
});

test('a page that the disk does not give is a fault of this machine, not damage of the file', () => {
  // 266 is SQLITE_IOERR_READ, 11 SQLITE_CORRUPT.
  assert.throws(() => findingOf('Tree 3 page 9: unable to get the page. error code=266'), UnreadablePageError);
  assert.throws(() => findingOf('Tree 9 page 9 cell 7: failed to get page 36'), UnreadablePageError);
  assert.equal(
    findingOf('Tree 3 page 9: unable to get the page. error code=11'),
    'Tree 3 page 9: unable to get the page. error code=11',
  );
});

test('damage is found however deep it lies among the causes', () => {
  const corrupt = Object.assign(new Error('database disk image is malformed'), { errcode: 11 | (1 << 8) });
  assert.equal(damageFoundBy(new Error('outer', { cause: corrupt })), 'database disk image is malformed');
  assert.equal(damageFoundBy(Object.assign(new Error('disk I/O error'), { errcode: 10 })), undefined);
});
