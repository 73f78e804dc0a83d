import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFileName, parseMediaName } from './media-name.ts';

const KEPT = [
  'a b.jpg',
  '[x].jpg',
  'a:b',
  'a"b',
  'a*?',
  'a|b',
  'a\nb',
  'CON',
  'CON.txt',
  'x.',
  'x ',
  ' x',
  '.hidden',
  '...',
  'thumbs.db',
  '日本.mp3',
  '😀',
  '-x',
  '%2e%2e',
  '_meta',
  'é'.repeat(127),
  `${'n'.repeat(251)}.txt`,
  '__proto__',
];

const REFUSED: readonly (readonly [name: string, reason: RegExp])[] = [
  ['', /not a file name/],
  ['.', /not a file name/],
  ['..', /not a file name/],
  ['a/b', /not a file name/],
  ['/tmp/x', /not a file name/],
  ['../x', /not a file name/],
  ['a\0b', /not a file name/],
  ['n'.repeat(256), /longer than 255 bytes/],
  ['é'.repeat(128), /longer than 255 bytes/],
  ['e\u0301.txt', /NFC/],
  ['\ud800.txt', /Unicode/],
  ['[]', /nothing is left/],
  ['\u0007', /nothing is left/],
  ['<>:"|?*\\^', /nothing is left/],
  ['\ufdd0', /nothing is left/],
];

test('names that clients of some age hold are kept as they are', () => {
  for (const name of KEPT) assert.deepEqual(parseMediaName(name, 'linux'), { kind: 'name', name }, name);
});

test('names that cannot be a file, or would break other clients, are refused', () => {
  for (const [name, reason] of REFUSED) {
    const result = parseMediaName(name, 'linux');
    assert.equal(result.kind, 'refused', JSON.stringify(name));
    assert.match(result.kind === 'refused' ? result.reason : '', reason);
  }
});

test('a server on Windows also refuses what is a device, a stream or another folder there', () => {
  const names = ['a\\b', 'a:b', 'a"b', 'a*', 'x.', 'x ', 'CON', 'con.txt', 'LPT1', 'com9.tar.gz', 'NUL .x', 'a\nb'];
  for (const name of names) {
    assert.equal(parseMediaName(name, 'win32').kind, 'refused', name);
    assert.equal(parseMediaName(name, 'linux').kind, 'name', name);
  }
  for (const name of ['a.b', 'CONSOLE', 'com10.txt', 'x.con', '日本 ü.txt']) {
    assert.equal(parseMediaName(name, 'win32').kind, 'name', name);
  }
});

test('no accepted name leads out of its folder, whatever the text', () => {
  const text = fc.string({ unit: fc.constantFrom('.', '/', '\\', '\0', 'a', 'é', '\u0301', ':', ' '), maxLength: 8 });
  fc.assert(
    fc.property(text, (name) => {
      const result = parseMediaName(name, 'linux');
      if (result.kind === 'refused') return;
      assert.equal(result.name, name);
      assert.ok(isFileName(name));
      assert.ok(!name.includes('/') && !name.includes('\0') && !/^\.{0,2}$/.test(name));
      assert.equal(name.normalize('NFC'), name);
    }),
  );
});
