import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha1Of, TemporaryUser } from '../../test/support/media.ts';
import { silentLog } from '../log.ts';
import type { MediaName } from '../media/media-name.ts';
import { MediaHandle } from './media-handle.ts';
import { OpenUsers } from './open-users.ts';

/** Uploads a small file, which leaves something to do when the media are closed. */
function upload(handle: MediaHandle, name: string) {
  const bytes = Buffer.from(name);
  const change = { name: name as MediaName, content: { bytes, sha1: sha1Of(bytes), size: bytes.length } };
  return handle.use((media) => media.upload([change]));
}

test('whoever comes while the media are being closed waits for that and finds them as they were left', async () => {
  using user = new TemporaryUser();
  const handle = new MediaHandle(user.folder, silentLog);
  for (const name of ['a', 'b', 'c']) {
    await upload(handle, name);
    void handle.close();
    assert.equal(await handle.use((media) => media.fileCount), name.charCodeAt(0) - 'a'.charCodeAt(0) + 1);
    void handle.close();
    void handle.close();
  }
  await handle.close();
});

test('a user whose media make room for others, and who comes back at once, is served', async () => {
  using user = new TemporaryUser();
  const media = new OpenUsers(
    (folder) => new MediaHandle(folder, silentLog),
    (handle) => !handle.isBusy,
    (handle) => handle.close(),
  );
  await upload(media.of(user.folder), 'a');
  const others = Array.from({ length: 40 }, (_, at) => ({ ...user.folder, root: `${user.folder.root}-${at}` }));
  // Nobody is fresh any more after this long; then each newcomer lets the one leave who was there first.
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const other of others) media.of(other);
  assert.ok(media.all().length >= others.length);
  assert.equal(await media.of(user.folder).use(({ fileCount }) => fileCount), 1);
  await media.closeAll();
});
