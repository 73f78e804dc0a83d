import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { SyncError } from '../errors.ts';
import { silentLog } from '../log.ts';
import type { Message } from '../protocol/message.ts';
import { userFolder } from '../user-folder.ts';
import { Lanes } from './lanes.ts';

const base = mkdtempSync(path.join(tmpdir(), 'anki-ending-'));
const folder = userFolder(base, 'ann');
mkdirSync(folder.incoming, { recursive: true });
/** Host keys that may sync. */
const welcome = new Set(['phone', 'laptop']);
const policy = { replacedDays: 1, days: 1, weeks: 0, months: 0, bytesMax: 0, trashDays: 1, trashBytesMax: 0 };
const admission = ({ hostKey }: { readonly hostKey: string }): void => {
  if (!welcome.has(hostKey)) throw new SyncError('hostKeyRejected', 'no');
};
const lanes = new Lanes({ inflatedBytesMax: 1e9, base, policy, log: silentLog, admission });
after(async () => {
  await lanes.close();
  rmSync(base, { recursive: true, force: true });
});

function message(method: Message['method'], hostKey: string, content: object = {}): Message {
  const payload = {
    kind: 'bytes',
    bytes: new TextEncoder().encode(JSON.stringify(content)),
    coding: 'identity',
  } as const;
  return { folder, method, dress: 'modern', payload, hostKey, sessionKey: hostKey, clientVersion: 'test' };
}

const meta = (hostKey: string) => lanes.dispatch(message('meta', hostKey, { v: 11, cv: 'x' }));
const start = async (hostKey: string): Promise<void> => {
  await meta(hostKey);
  await lanes.dispatch(message('start', hostKey, { minUsn: 0, lnewer: false, graves: null }));
};
const chunk = (hostKey: string) => lanes.dispatch(message('chunk', hostKey));

test('a message whose sender lost the access while it waited is refused, and an upload leaves no file', async () => {
  const file = path.join(folder.incoming, 'upload');
  writeFileSync(file, 'x');
  const upload: Message = { ...message('upload', 'thief'), payload: { kind: 'file', path: file, byteLength: 1 } };
  const others = (['meta', 'finish', 'download', 'mediaChanges'] as const).map((method) => message(method, 'thief'));
  for (const each of [upload, ...others]) {
    await assert.rejects(lanes.dispatch(each), { code: 'hostKeyRejected' }, each.method);
  }
  assert.ok(!existsSync(file) && !existsSync(folder.collection));
});

test('the sync of a device that is welcome goes on, the one of another is rolled back', async () => {
  await start('phone');
  await lanes.ending.endUnwelcomeSync(folder);
  await chunk('phone');
  welcome.delete('phone');
  await lanes.ending.endUnwelcomeSync(folder);
  welcome.add('phone');
  await assert.rejects(chunk('phone'), { code: 'syncConflict' });
});

test('a sync that another device has begun since is not ended', async () => {
  await start('phone');
  await start('laptop');
  welcome.delete('phone');
  await lanes.ending.endUnwelcomeSync(folder);
  await chunk('laptop');
  welcome.add('phone');
});

test('while work is done on the folder nothing in it is open, and messages wait', async () => {
  await start('laptop');
  const seen: boolean[] = [];
  let waiting: Promise<unknown> | undefined;
  await lanes.ending.whileClosed(folder, () => {
    waiting = meta('laptop');
    seen.push(existsSync(`${folder.collection}-wal`), existsSync(`${folder.mediaDb}-wal`));
    // A folder with open files keeps its files, so this alone would prove nothing on Linux.
    renameSync(folder.root, `${folder.root}2`);
    renameSync(`${folder.root}2`, folder.root);
  });
  assert.deepEqual(seen, [false, false]);
  await waiting;
  await assert.rejects(chunk('laptop'), { code: 'syncConflict' }, 'the sync was rolled back');
});
