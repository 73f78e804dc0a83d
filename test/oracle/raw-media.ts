import type { Random } from '../support/random.ts';
import { writeZip } from '../support/write-zip.ts';

const names = [
  'a.jpg',
  'b c.mp3',
  '_style.css',
  'ä.png',
  '日本語.gif',
  'A.JPG',
  '__proto__',
  'con.txt',
  'x'.repeat(255),
  "it's 100%.txt",
];

/** The server refuses a request with one of these. */
const badNames = ['a\u0308.png', 'folder/file.txt', 'x'.repeat(256)];

/** A random message about media: path and body. */
export function mediaStep(random: Random): readonly [path: string, body: string | Uint8Array] {
  switch (random.weighted({ upload: 6, changes: 2, download: 3, sanity: 1, begin: 1 })) {
    case 'upload':
      return ['msync/uploadChanges', upload(random)];
    case 'changes':
      return ['msync/mediaChanges', JSON.stringify({ lastUsn: random.integer(-1, 12) })];
    case 'download':
      return ['msync/downloadFiles', JSON.stringify({ files: random.some(names, 3) })];
    case 'sanity':
      return ['msync/mediaSanity', JSON.stringify({ local: random.integer(0, 8) })];
    case 'begin':
      return ['msync/begin', '{"v":"anki,26.09.3 (test),linux"}'];
  }
}

function upload(random: Random): Uint8Array {
  const entries: (readonly [string, Uint8Array])[] = [];
  const meta: (readonly [string, string | null])[] = [];
  const chosen = [...random.some(names, 5), ...(random.chance(0.05) ? [random.pick(badNames)] : [])];
  chosen.forEach((name, index) => {
    if (random.chance(0.3)) {
      meta.push([name, random.pick([null, ''])]);
      return;
    }
    const content = random.chance(0.02) ? '' : `content ${random.integer(0, 3)}`;
    entries.push([String(index), Buffer.from(content)]);
    meta.push([name, String(index)]);
  });
  if (random.chance(0.03)) meta.push(['missing.txt', 'no such entry']);
  const text = random.chance(0.03) ? '{"no":"list"}' : JSON.stringify(meta);
  const zip = writeZip([...entries, ['_meta', Buffer.from(text)]]);
  return random.chance(0.03) ? zip.subarray(0, zip.length - 5) : zip;
}
