import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { SyncError } from '../errors.ts';
import type { Message } from '../protocol/message.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import { MetaCache } from './meta-cache.ts';

const summary = {
  mtimeMs: 1000,
  schemaMtimeMs: 900,
  usn: 7,
  isEmpty: false,
  byteLength: 10,
  needsScheduler2: true,
  needsTimeZones: true,
};
const facts = { summary, mediaUsn: 3 };

/** A user whose files are there. */
class Ann implements Disposable {
  readonly base = mkdtempSync(path.join(tmpdir(), 'meta-cache-'));
  readonly folder: UserFolder = userFolder(this.base, 'ann');
  readonly cache = new MetaCache(1_000_000);

  constructor() {
    mkdirSync(this.folder.root);
    writeFileSync(this.folder.collection, 'a collection');
    writeFileSync(this.folder.mediaDb, 'an index');
  }

  meta(sessionKey: string, version = 11): Message {
    const payload = JSON.stringify({ v: version, cv: 'anki,26.09.3 (test),linux' });
    return {
      ...{ folder: this.folder, method: 'meta', dress: 'modern', hostKey: 'k', sessionKey, clientVersion: '' },
      payload: { kind: 'bytes', bytes: Buffer.from(payload), coding: 'identity' },
    };
  }

  /** The usn that the cache tells, or undefined when the thread has to be asked. */
  usnFor(sessionKey: string): number | undefined {
    const answer = this.cache.answer(this.meta(sessionKey));
    if (answer === undefined) return undefined;
    assert.equal(answer.kind, 'zstd');
    return JSON.parse(zstdDecompressSync(answer.kind === 'zstd' ? answer.bytes : '').toString()).usn;
  }

  learn(): void {
    this.cache.learn(this.meta('first'), this.cache.mark(this.folder), facts);
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true });
  }
}

test('the thread is asked once, and not again while nothing happens', () => {
  using ann = new Ann();
  assert.equal(ann.usnFor('one'), undefined);
  ann.learn();
  assert.deepEqual([ann.usnFor('two'), ann.usnFor('three')], [7, 7]);
});

test('whatever may change the collection or the media makes it ask again, before and after', async () => {
  using ann = new Ann();
  for (const part of ['collection', 'media'] as const) {
    ann.learn();
    await ann.cache.whileChanging(ann.folder, part, async () => {
      assert.equal(ann.usnFor('one'), undefined);
      ann.learn(); // What is told in the middle of it may be the old state.
    });
    assert.equal(ann.usnFor('two'), undefined);
    ann.learn();
    await assert.rejects(ann.cache.whileChanging(ann.folder, part, () => Promise.reject(new Error('half done'))));
    assert.equal(ann.usnFor('three'), undefined);
  }
});

test('what a sync has made of the collection is told without asking, unless something else changed it meanwhile', async () => {
  using ann = new Ann();
  ann.learn();
  const news = () => ({ ...summary, usn: 8 });
  await ann.cache.whileChanging(ann.folder, 'collection', async () => {}, news);
  assert.equal(ann.usnFor('one'), 8);
  const slow = Promise.withResolvers<void>();
  const sync = ann.cache.whileChanging(ann.folder, 'collection', () => slow.promise, news);
  await ann.cache.whileChanging(ann.folder, 'collection', async () => {});
  slow.resolve();
  await sync;
  assert.equal(ann.usnFor('two'), undefined);
});

test('an answer that was on its way while something changed is not kept', async () => {
  using ann = new Ann();
  const mark = ann.cache.mark(ann.folder);
  await ann.cache.whileChanging(ann.folder, 'media', async () => {});
  ann.cache.learn(ann.meta('one'), mark, facts);
  assert.equal(ann.usnFor('two'), undefined);
});

test('a file that another program has changed is noticed', () => {
  using ann = new Ann();
  for (const file of [ann.folder.collection, ann.folder.mediaDb]) {
    ann.learn();
    appendFileSync(file, '!');
    assert.equal(ann.usnFor('one'), undefined, file);
  }
});

test('the thread that begins a sync hears what its client was told, by whomever, once', () => {
  using ann = new Ann();
  ann.learn();
  ann.usnFor('two');
  for (const key of ['first', 'two']) {
    assert.equal(ann.cache.takeTold(ann.meta(key))?.summary, summary);
    assert.equal(ann.cache.takeTold(ann.meta(key)), undefined);
  }
});

test('a client that is too old is refused here too', () => {
  using ann = new Ann();
  ann.learn();
  assert.throws(
    () => ann.cache.answer(ann.meta('one', 7)),
    (error) => error instanceof SyncError && error.code === 'clientTooOld',
  );
});
