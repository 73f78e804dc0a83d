import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { newSessionKey, type RawClient } from '../support/raw-client.ts';
import type { AccountState } from './recording.ts';
import { type Model, noteIdsOf } from './script.ts';
import type { StoredState } from './stored-state.ts';
import { type MediaState, SyncDevice, sha1Of } from './sync-device.ts';

/** What is added to see whether syncing goes on. */
const newNoteId = 1_600_000_000_000;

export interface AccountCheck {
  readonly client: RawClient;
  /** `<SYNC_BASE>/<user>` */
  readonly folder: string;
  readonly possible: readonly AccountState[];
}

/**
 * An account after a disaster: it holds one of the possible states, whole; a device that had the oldest of them syncs
 * without a full sync; the media index promises nothing that is not there. Returns what was found.
 */
export async function checkAccount({ client, folder, possible }: AccountCheck): Promise<AccountState> {
  const device = new SyncDevice(client);
  const media = await device.readMedia();
  assert.ok(
    possible.some((state) => isEqual(state.media, media)),
    `media are as before or as after: ${JSON.stringify(media)}`,
  );
  assertFilesMatch(path.join(folder, 'media'), media);
  client.sessionKey = newSessionKey();
  const meta = await client.meta();
  const states = possible.map(({ collection }) => collection);
  const found = states.find((state) => state !== undefined && state.scm === meta.scm && state.usn === meta.usn);
  if (found === undefined) {
    assert.ok(
      states.includes(undefined) && meta.empty,
      `the collection is as before or as after: ${JSON.stringify(meta)}`,
    );
    return { collection: undefined, media };
  }
  await checkCollection(device, found, states);
  return { collection: found, media };
}

async function checkCollection(
  device: SyncDevice,
  found: StoredState,
  states: readonly (StoredState | undefined)[],
): Promise<void> {
  // The device's last successful sync may be the one before.
  const oldest = states.find((state) => state?.scm === found.scm) ?? found;
  device.knowAs({ ...found, usn: Math.min(oldest.usn, found.usn) });
  await device.sync({ noteIds: [newNoteId] });
  const now = await device.download();
  assert.equal(now.usn, found.usn + 2);
  for (const table of new Set([...Object.keys(found.tables), ...Object.keys(now.tables)])) {
    const rows = (now.tables[table] ?? []).filter((row) => !row.startsWith(`${newNoteId} `));
    if (table !== 'config' && table !== 'col') {
      assert.deepEqual(rows, found.tables[table] ?? [], `table ${table} is as it was acknowledged`);
    }
  }
}

/**
 * The same against what a client knows that made everything in the account. Returns which of the possible models it is.
 * Three syncs and a full download have taken place then, so a device has to `download` before it goes on.
 */
export async function checkModel(client: RawClient, folder: string, possible: readonly Model[]): Promise<Model> {
  const device = new SyncDevice(client);
  const media = await device.readMedia();
  assertFilesMatch(path.join(folder, 'media'), media);
  client.sessionKey = newSessionKey();
  const meta = await client.meta();
  // The server makes an empty collection for an account that has none.
  const isNew = meta.empty && possible.every(({ collection }) => collection?.scm !== meta.scm);
  const state = isNew ? undefined : await device.download();
  const noteIds = state === undefined ? undefined : noteIdsOf(state);
  const found = possible.find(
    (model) =>
      isScmOf(model, state?.scm, possible) &&
      isSameSet(model.collection?.noteIds, noteIds) &&
      isEqual(model.media, media),
  );
  const seen = { empty: isNew, scm: state?.scm, notes: noteIds?.size, media };
  assert.ok(found !== undefined, `everything is as before or as after, not ${JSON.stringify(seen)}`);
  if (state !== undefined) await device.sync();
  return found;
}

/** One that the server chose is none that was there before. */
function isScmOf({ collection }: Model, scm: number | undefined, possible: readonly Model[]): boolean {
  if (collection?.scm !== 'new') return collection?.scm === scm;
  return scm !== undefined && possible.every((model) => model.collection?.scm !== scm);
}

function isSameSet(a: ReadonlySet<number> | undefined, b: ReadonlySet<number> | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.size === b.size && a.isSubsetOf(b);
}

/** The files of the index, with their bytes; others may be there, for devices to send again. */
function assertFilesMatch(folder: string, media: MediaState): void {
  const names = readdirSync(folder);
  for (const [name, sha1] of Object.entries(media)) {
    assert.ok(names.includes(name), `${name} is there`);
    assert.equal(sha1Of(readFileSync(path.join(folder, name))), sha1, name);
  }
}

function isEqual(a: MediaState, b: MediaState): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
