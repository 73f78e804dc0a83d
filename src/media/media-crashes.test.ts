import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFiles, sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { silentLog } from '../log.ts';
import { type UserFolder, userFolder } from '../user-folder.ts';
import type { MediaName } from './media-name.ts';
import { listTrash, trashedFilePath } from './media-trash.ts';
import { UserMedia } from './user-media.ts';

type Change = readonly [name: string, content: string | null];

const change = fc.tuple(fc.constantFrom('a', 'b', 'é', '日本'), fc.option(fc.constantFrom('1', '22', '333')));
const batch = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 5 }),
  /** The machine loses power after so many steps of the upload; it then starts again and the client sends it again. */
  crashAfterSteps: fc.option(fc.nat(12)),
});

test('whenever the power fails, every upload has happened or not, and nothing that a client stored is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 6 }), async (history) => {
      using user = new TemporaryUser();
      let folder = user.folder;
      const stored = new Set<string>();
      let expected: Record<string, string> = {};
      for (const [index, { changes, crashAfterSteps }] of history.entries()) {
        const before = expected;
        expected = apply(before, changes);
        const image = userFolder(user.beside(''), `image-${index}`);
        if (await uploadUntilCrash(folder, changes, { image, crashAfterSteps })) {
          folder = image;
          await using reopened = await UserMedia.open(folder, silentLog);
          const files = indexedFiles(reopened, folder);
          assert.ok(
            [before, expected].some((state) => isEqual(state, files)),
            JSON.stringify(files),
          );
          await upload(reopened, changes);
        }
        await using media = await UserMedia.open(folder, silentLog);
        assert.deepEqual(indexedFiles(media, folder), expected);
        assert.deepEqual(readFiles(folder.media), expected);
        for (const [name, content] of Object.entries(expected)) stored.add(`${name}=${content}`);
      }
      const found = new Set([...Object.entries(expected).map(([name, content]) => `${name}=${content}`)]);
      for (const each of await trashed(folder)) found.add(each);
      assert.deepEqual(
        [...stored].filter((each) => !found.has(each)),
        [],
      );
    }),
    { numRuns: 20 },
  );
});

/** Uploads; `image` is what the disk holds at the crash. False when the upload has fewer steps than that. */
async function uploadUntilCrash(
  folder: UserFolder,
  changes: readonly Change[],
  { image, crashAfterSteps }: { readonly image: UserFolder; readonly crashAfterSteps: number | null },
): Promise<boolean> {
  let steps = 0;
  let crashed = false;
  const onStep = () => {
    if (steps++ !== crashAfterSteps) return;
    cpSync(folder.root, image.root, { recursive: true });
    crashed = true;
  };
  await using media = await UserMedia.open(folder, silentLog, { onStep });
  await upload(media, changes);
  return crashed;
}

async function upload(media: UserMedia, changes: readonly Change[]): Promise<void> {
  const received = changes.map(([name, text]) => {
    if (text === null) return { name: name as MediaName, content: undefined };
    const path = media.temporaryPath();
    writeFileSync(path, text);
    return { name: name as MediaName, content: { path, sha1: sha1Of(text), size: text.length } };
  });
  await media.upload(received);
}

function apply(files: Record<string, string>, changes: readonly Change[]): Record<string, string> {
  const after = { ...files };
  for (const [name, content] of changes) {
    if (content === null) delete after[name];
    else after[name] = content;
  }
  return after;
}

/** The files that the index promises. Each has to be there with exactly the promised bytes. */
function indexedFiles(media: UserMedia, folder: UserFolder): Record<string, string> {
  const files = readFiles(folder.media);
  const entries = media.changesAfter(0).filter((entry) => entry.sha1 !== undefined);
  assert.equal(media.fileCount, entries.length);
  for (const { name, sha1 } of entries) assert.equal(sha1Of(files[name] ?? ''), sha1, name);
  return Object.fromEntries(entries.map(({ name }) => [name, files[name] ?? '']));
}

async function trashed(folder: UserFolder): Promise<string[]> {
  const found: string[] = [];
  for (const { record, path } of await listTrash(folder.root)) {
    const files = readFiles(trashedFilePath(path, ''));
    assert.deepEqual(Object.keys(files).sort(), record.files.map((file) => file.name).sort());
    for (const [name, content] of Object.entries(files)) found.push(`${name}=${content}`);
  }
  return found;
}

function isEqual(a: Record<string, string>, b: Record<string, string>): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
