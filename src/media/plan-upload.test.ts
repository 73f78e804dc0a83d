import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MediaEntry, Sha1Hex } from './media-db.ts';
import type { MediaName } from './media-name.ts';
import { planDownload } from './plan-download.ts';
import { type Content, effectOf, planUpload } from './plan-upload.ts';

const content = (letter: string, size = 1): Content => ({ sha1: letter.repeat(40) as Sha1Hex, size });
const entry = (letter: string, size = 1, usn = 1): MediaEntry => ({ ...content(letter, size), usn, mtimeSecs: 5 });
const name = (text: string) => text as MediaName;

test('what a change does depends on what is there', () => {
  const rows = [
    [undefined, undefined, 'absent'],
    [entry('a', 0), undefined, 'absent'],
    [entry('a'), undefined, 'removed'],
    [undefined, content('a'), 'added'],
    [entry('a', 0), content('a'), 'added'],
    [entry('a', 0), content('b'), 'added'],
    [entry('a'), content('a'), 'unchanged'],
    [entry('a'), content('b'), 'replaced'],
  ] as const;
  for (const [before, change, effect] of rows) assert.equal(effectOf(before, change), effect);
});

test('every change raises the counter by one, and nothing else does', () => {
  const index = new Map([
    ['same', entry('a')],
    ['changed', entry('a')],
    ['gone', entry('a', 0)],
    ['old', entry('a')],
  ]);
  const changes = [
    { name: name('same'), content: content('a') },
    { name: name('changed'), content: content('b', 7) },
    { name: name('gone'), content: undefined },
    { name: name('old'), content: undefined },
    { name: name('new'), content: content('c', 3) },
    { name: name('never'), content: undefined },
  ];
  const plan = planUpload(changes, (key) => index.get(key), { lastUsn: 10, nowSecs: 99 });
  assert.deepEqual(
    plan.steps.map((step) => step.effect),
    ['unchanged', 'replaced', 'absent', 'removed', 'added', 'absent'],
  );
  assert.deepEqual([plan.usnBefore, plan.usnAfter], [10, 13]);
  assert.deepEqual(
    [...plan.files],
    [
      ['changed', { entry: { ...content('b', 7), usn: 11, mtimeSecs: 99 }, content: content('b', 7) }],
      ['old', { entry: { ...content('a', 0), usn: 12, mtimeSecs: 99 }, content: undefined }],
      ['new', { entry: { ...content('c', 3), usn: 13, mtimeSecs: 99 }, content: content('c', 3) }],
    ],
  );
});

test('a name that comes several times counts each time and ends as the last one says', () => {
  const x = name('x');
  const changes = [content('1'), content('2'), undefined, undefined, content('2'), content('2')];
  const plan = planUpload(
    changes.map((each) => ({ name: x, content: each })),
    () => undefined,
    { lastUsn: 0, nowSecs: 1 },
  );
  assert.deepEqual(
    plan.steps.map((step) => step.effect),
    ['added', 'replaced', 'removed', 'absent', 'added', 'unchanged'],
  );
  assert.equal(plan.usnAfter, 4);
  assert.deepEqual([...plan.files], [[x, { entry: { ...content('2'), usn: 4, mtimeSecs: 1 }, content: content('2') }]]);
});

test('a file that is added and deleted in one upload leaves a deleted entry with the hash', () => {
  const changes = [content('1'), undefined].map((each) => ({ name: name('x'), content: each }));
  const plan = planUpload(changes, () => undefined, { lastUsn: 0, nowSecs: 1 });
  assert.deepEqual(plan.files.get(name('x')), {
    entry: { ...content('1', 0), usn: 2, mtimeSecs: 1 },
    content: undefined,
  });
});

test('a download is the beginning of the list, up to the file that passes the limit', () => {
  const index: Record<string, MediaEntry> = {
    ten: entry('a', 10),
    one: entry('b', 1),
    eleven: entry('c', 11),
    gone: entry('d', 0),
  };
  const plan = (...names: string[]) => {
    const result = planDownload(names, (key) => index[key], 10);
    return result.kind === 'send' ? result.files.map((file) => file.name) : `no ${result.name}`;
  };
  assert.deepEqual(plan(), []);
  assert.deepEqual(plan('one', 'one', 'one'), ['one', 'one', 'one']);
  assert.deepEqual(plan('ten', 'one', 'one'), ['ten', 'one']);
  assert.deepEqual(plan('eleven', 'one'), ['eleven']);
  assert.deepEqual(plan('eleven', 'unknown'), ['eleven']);
  assert.equal(plan('one', 'unknown'), 'no unknown');
  assert.equal(plan('gone'), 'no gone');
});
