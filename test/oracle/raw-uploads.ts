import { readFileSync } from 'node:fs';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { Uploads } from './raw-history.ts';

const folder = path.join(import.meta.dirname, '../fixtures/collections');

/** Files of all schemas and releases, and such as are no collections. */
export const rawUploads: Uploads = {
  good: [
    'fresh-empty.anki2',
    'rich.anki2',
    'rich.anki2',
    'non-ascii-names.anki2',
    'schema11/fresh-empty.anki2',
    'schema11/rich.anki2',
    'schema11/non-ascii-names.anki2',
    'uploads/18-without-wal.anki2.zst',
    'uploads/page-size-8192.anki2.zst',
    'uploads/plain-11.anki2.zst',
    'uploads/duplicate-graves-11.anki2.zst',
    'uploads/extra-table.anki2.zst',
  ].map(read),
  bad: [
    'uploads/garbage.anki2.zst',
    'uploads/cut.anki2.zst',
    'uploads/zero-page.anki2.zst',
    'uploads/col-without-row.anki2.zst',
    'uploads/broken-index.anki2.zst',
    'uploads/tags-out-of-order.anki2.zst',
    'uploads/ver-10.anki2.zst',
    'uploads/ver-19.anki2.zst',
    'uploads/missing-table-11.anki2.zst',
    'uploads/models-no-json.anki2.zst',
    'uploads/notetype-without-css.anki2.zst',
  ].map(read),
};

function read(name: string): Uint8Array {
  const bytes = readFileSync(path.join(folder, name));
  return name.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes;
}
