import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { textAnswer } from '../../test/helpers/http-harness.ts';
import { MiB } from '../limits.ts';
import { silentLog } from '../log.ts';
import { exceedsMediaQuota } from '../protocol/media/media-quota.ts';
import type { Message } from '../protocol/message.ts';
import { userFolder } from '../user-folder.ts';
import type { Dispatcher } from './dispatcher.ts';
import { exceedsCollectionQuota, type Quota, withQuota } from './quota.ts';

const base = mkdtempSync(path.join(tmpdir(), 'anki-quota-'));
after(() => rmSync(base, { recursive: true, force: true }));
const folder = userFolder(base, 'ann');
mkdirSync(folder.incoming, { recursive: true });
const bytes = fc.nat({ max: 1000 });

function world(quota: Quota) {
  const seen: Message[] = [];
  const warnings: unknown[] = [];
  const inner: Dispatcher = {
    dispatch: async (message) => {
      seen.push(message);
      return textAnswer('OK');
    },
    uploadBegins: () => {},
    release: () => {},
    close: async () => {},
  };
  const log = { ...silentLog, warn: (fields: unknown) => void warnings.push(fields) };
  return { seen, warnings, dispatcher: withQuota(inner, quota, log) };
}

function message(
  method: Message['method'],
  payloadBytes = 0,
): Message & { readonly payload: { readonly path: string } } {
  const file = path.join(folder.incoming, `${method}-${payloadBytes}`);
  writeFileSync(file, '');
  const payload = { kind: 'file', path: file, byteLength: payloadBytes } as const;
  return { folder, method, dress: 'modern', payload, hostKey: '', sessionKey: 's', clientVersion: '' };
}

async function textOf(answering: ReturnType<Dispatcher['dispatch']>): Promise<string> {
  const answer = await answering;
  return answer.kind === 'bytes' ? Buffer.from(answer.bytes).toString() : answer.kind;
}

test('nothing that makes a user smaller, or leaves all as it is, is ever refused', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (max, stored, wanted) => {
      const isRefused = wanted > max && wanted > stored;
      assert.equal(exceedsCollectionQuota(wanted, stored, max), isRefused);
      assert.equal(exceedsMediaQuota({ bytesBefore: stored, bytesAfter: wanted }, max), isRefused);
    }),
  );
});

test('a collection beyond the quota is refused in words, never handed on, and not left lying about', async () => {
  const { dispatcher, seen } = world({ collectionBytesMax: 2 * MiB, mediaBytesMax: undefined });
  const upload = message('upload', 3.25 * MiB);
  const text = await textOf(dispatcher.dispatch(upload));
  assert.match(text, /^Nothing was uploaded: your collection is 3\.3 MiB large, .* keeps 2 MiB for each user/);
  assert.deepEqual(seen, []);
  assert.equal(existsSync(upload.payload.path), false);
  assert.equal(await textOf(dispatcher.dispatch(message('upload', 2 * MiB))), 'OK');
});

test('who is beyond the quota already may upload what is no larger', async () => {
  writeFileSync(folder.collection, Buffer.alloc(3 * MiB));
  const { dispatcher } = world({ collectionBytesMax: 2 * MiB, mediaBytesMax: undefined });
  assert.equal(await textOf(dispatcher.dispatch(message('upload', 3 * MiB))), 'OK');
  assert.match(await textOf(dispatcher.dispatch(message('upload', 3 * MiB + 1))), /^Nothing was uploaded/);
});

test('an ordinary sync that grows beyond the quota goes through, and the log says so once', async () => {
  writeFileSync(folder.collection, Buffer.alloc(3 * MiB));
  const { dispatcher, warnings } = world({ collectionBytesMax: 2 * MiB, mediaBytesMax: undefined });
  for (const method of ['meta', 'start', 'applyChunk', 'finish', 'meta'] as const) {
    assert.equal(await textOf(dispatcher.dispatch(message(method))), 'OK');
  }
  assert.deepEqual(warnings, [{ user: 'ann', bytes: 3 * MiB, bytes_max: 2 * MiB }]);
});

test('the thread that has the media learns their limit', async () => {
  const { dispatcher, seen } = world({ collectionBytesMax: undefined, mediaBytesMax: 5 });
  await dispatcher.dispatch(message('uploadChanges'));
  await dispatcher.dispatch(message('mediaSanity'));
  assert.deepEqual(
    seen.map(({ mediaBytesMax }) => mediaBytesMax),
    [5, undefined],
  );
});
