import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeZip, sha1Of, TemporaryUser, uploadZip } from '../../../test/support/media.ts';
import { ask, bodyOf, mediaFileMessage, mediaMessage } from '../../../test/support/media-messages.ts';
import { silentLog } from '../../log.ts';
import { UserMedia } from '../../media/user-media.ts';
import { answerMediaMessage } from './media-messages.ts';
import { readUploadMeta, uploadChanges } from './upload-changes.ts';

type Change = readonly [name: string, content: string | null];

test('the answer counts all pairs and tells the counter', async () => {
  await using box = await Box.open();
  assert.equal(await box.sendText(['a.txt', 'A'], ['b.txt', 'B']), '{"data":[2,2],"err":""}');
  assert.deepEqual(await box.send(['a.txt', 'A'], ['b.txt', 'B']), [2, 2]);
  assert.deepEqual(await box.send(['a.txt', 'AA'], ['b.txt', 'B']), [2, 3]);
  assert.deepEqual(await box.send(['nope.txt', null]), [1, 3]);
  assert.deepEqual(await box.send(['b.txt', null]), [1, 4]);
  assert.deepEqual(await box.send(['b.txt', null]), [1, 4]);
  assert.deepEqual(await box.send(['x', '1'], ['x', '2'], ['x', null], ['x', '3']), [4, 8]);
  assert.deepEqual(await box.send(), [0, 8]);
  assert.deepEqual(box.user.files(), { 'a.txt': 'AA', x: '3' });
});

test('Python and AnkiDroid delete with an empty text, all others with null', async () => {
  await using box = await Box.open();
  await box.send(['a', 'A'], ['b', 'B']);
  assert.deepEqual(await box.sendZip(uploadZip([['a', null]], { deletion: '' })), [1, 3]);
  assert.deepEqual(await box.sendZip(uploadZip([['b', null]], { deletion: null })), [1, 4]);
  assert.deepEqual(box.user.files(), {});
});

test('one entry may be the content of several files, and entries that _meta does not name are ignored', async () => {
  await using box = await Box.open();
  const zip = makeZip([
    { name: '_meta', content: '[["twin1","x"],["twin2","x"]]' },
    { name: 'x', content: 'twins' },
    { name: 'spare', content: 'spare' },
  ]);
  assert.deepEqual(await box.sendZip(zip), [2, 2]);
  assert.deepEqual(box.user.files(), { twin1: 'twins', twin2: 'twins' });
});

const one = { name: '0', content: 'x' };
const meta = (text: string) => ({ name: '_meta', content: text });
const REFUSED: readonly (readonly [what: string, zip: Buffer])[] = [
  ['26 pairs', uploadZip(Array.from({ length: 26 }, (_, index) => [`m${index}`, 'x']))],
  ['a name of 256 bytes', uploadZip([['n'.repeat(256), 'x']])],
  ['a name in form NFD', uploadZip([['e\u0301.txt', 'x']])],
  ['the deletion of a name in form NFD', uploadZip([['e\u0301.txt', null]])],
  ['a path', uploadZip([['a/b', 'x']])],
  ['the deletion of a path', uploadZip([['../x', null]])],
  ['an absolute path', uploadZip([['/tmp/x', 'x']])],
  ['an empty name', uploadZip([['', 'x']])],
  ['the name .', uploadZip([['.', 'x']])],
  ['the name ..', uploadZip([['..', 'x']])],
  ['a name with NUL', uploadZip([['a\0b', 'x']])],
  ['half a surrogate pair', makeZip([one, meta('[["\\ud800","0"]]')])],
  ['empty content', uploadZip([['empty', '']])],
  [
    'one bad name among good ones',
    uploadZip([
      ['good', 'x'],
      ['bad/x', 'x'],
    ]),
  ],
  ['_meta that is no JSON', makeZip([one, meta('[')])],
  ['_meta that is no UTF-8', makeZip([one, { name: '_meta', content: Buffer.from('[["\xff","0"]]', 'latin1') }])],
  ['_meta that is an object', makeZip([one, meta('{"0":"x"}')])],
  ['_meta with text behind', makeZip([one, meta('[["a","0"]] x')])],
  ['a pair with one member', makeZip([one, meta('[["a"]]')])],
  ['a pair with three members', makeZip([one, meta('[["a","0","x"]]')])],
  ['a pair that is a text', makeZip([one, meta('["a0"]')])],
  ['a name that is null', makeZip([one, meta('[[null,"0"]]')])],
  ['an entry name that is a number', makeZip([one, meta('[["a",0]]')])],
  ['a missing entry', makeZip([one, meta('[["a","1"]]')])],
  [
    'a good entry and a damaged one',
    makeZip([one, { name: '1', content: 'y', crc: 5 }, meta('[["a","0"],["b","1"]]')]),
  ],
  ['no zip', Buffer.from('no zip')],
  ['nothing', Buffer.alloc(0)],
];

for (const [what, zip] of REFUSED) {
  test(`an upload with ${what} changes nothing and leaves nothing behind`, async () => {
    await using box = await Box.open();
    await box.send(['a', 'old']);
    await assert.rejects(box.sendZip(zip), { code: 'malformedRequest' });
    assert.deepEqual([box.media.lastUsn, box.user.files()], [1, { a: 'old' }]);
    assert.deepEqual(readdirSync(box.user.folder.incoming), []);
  });
}

test('the zip that the transport left in a file is deleted, whatever the answer', async () => {
  await using box = await Box.open();
  for (const zip of [uploadZip([['a', 'A']]), uploadZip([['a/b', 'A']]), Buffer.from('junk')]) {
    const message = mediaFileMessage(box.user.folder, 'uploadChanges', zip);
    await uploadChanges(message, box.media).catch(() => {});
    assert.deepEqual(readdirSync(box.user.folder.incoming), []);
  }
  assert.deepEqual(box.user.files(), { a: 'A' });
});

test('names that are keys of every object are names like others', () => {
  const pairs = readUploadMeta(Buffer.from('[["__proto__","0"],["constructor",null],["_meta",""]]'));
  assert.deepEqual(
    pairs.map((pair) => [pair.name, pair.entryName]),
    [
      ['__proto__', '0'],
      ['constructor', undefined],
      ['_meta', undefined],
    ],
  );
});

test('after any uploads, index, files, counters and listing are those of a plain model', async () => {
  const names = ['a', 'b.txt', 'é', '日本 ü.mp3', '__proto__', 'X', 'x'];
  const change = fc.tuple(fc.constantFrom(...names), fc.option(fc.constantFrom('1', '22', '333', '1'.repeat(5000))));
  const batches = fc.array(
    fc.record({ changes: fc.array(change, { maxLength: 8 }), reopen: fc.boolean(), deflated: fc.boolean() }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(batches, async (history) => {
      await using box = await Box.open();
      const model = new Model();
      for (const { changes, reopen, deflated } of history) {
        const expected = model.upload(changes);
        const zip = uploadZip(changes, { method: deflated ? 'deflated' : 'stored' });
        assert.deepEqual(await box.sendZip(zip), expected);
        if (reopen) await box.reopen();
        assert.deepEqual(box.user.files(), model.files());
        assert.deepEqual(await box.ask('mediaChanges', { lastUsn: 0 }), model.listing());
        assert.deepEqual(await box.ask('mediaSanity', { local: model.count() }), 'OK');
      }
    }),
    { numRuns: 20 },
  );
});

/** What the protocol says, in the plainest words. */
class Model {
  readonly #entries = new Map<string, { content: string | null; usn: number }>();
  #usn = 0;

  upload(changes: readonly Change[]): [number, number] {
    for (const [name, content] of changes) {
      if (content === (this.#entries.get(name)?.content ?? null)) continue;
      this.#usn += 1;
      this.#entries.set(name, { content, usn: this.#usn });
    }
    return [changes.length, this.#usn];
  }

  files(): Record<string, string> {
    const present = [...this.#entries]
      .filter(([, { content }]) => content !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(present.map(([name, { content }]) => [name, content ?? '']));
  }

  listing(): unknown[] {
    const inOrder = [...this.#entries].sort(([, a], [, b]) => a.usn - b.usn);
    return inOrder.map(([name, { content, usn }]) => [name, usn, content === null ? '' : sha1Of(content)]);
  }

  count(): number {
    return Object.keys(this.files()).length;
  }
}

/** A user with open media. */
class Box implements AsyncDisposable {
  readonly user: TemporaryUser;
  #media: UserMedia;

  private constructor(user: TemporaryUser, media: UserMedia) {
    this.user = user;
    this.#media = media;
  }

  static async open(): Promise<Box> {
    const user = new TemporaryUser();
    return new Box(user, await UserMedia.open(user.folder, silentLog));
  }

  get media(): UserMedia {
    return this.#media;
  }

  async reopen(): Promise<void> {
    await this.#media[Symbol.asyncDispose]();
    assert.ok(!existsSync(`${this.user.folder.mediaDb}-wal`));
    this.#media = await UserMedia.open(this.user.folder, silentLog);
  }

  async sendText(...changes: Change[]): Promise<string> {
    const message = mediaMessage(this.user.folder, 'uploadChanges', uploadZip(changes));
    return bodyOf(await answerMediaMessage(message, this.#media)).toString();
  }

  async send(...changes: Change[]): Promise<unknown> {
    return this.sendZip(uploadZip(changes));
  }

  async sendZip(zip: Uint8Array): Promise<unknown> {
    const message = mediaFileMessage(this.user.folder, 'uploadChanges', zip);
    return dataOf(JSON.parse(bodyOf(await answerMediaMessage(message, this.#media)).toString()));
  }

  async ask(method: 'mediaChanges' | 'mediaSanity', payload: unknown): Promise<unknown> {
    return dataOf(await ask(this.#media, this.user.folder, method, payload));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#media[Symbol.asyncDispose]();
    this.user[Symbol.dispose]();
  }
}

function dataOf(answer: unknown): unknown {
  assert.deepEqual(Object.keys(answer as object), ['data', 'err']);
  assert.equal((answer as { err: unknown }).err, '');
  return (answer as { data: unknown }).data;
}
