import type { ObjectTally } from '../collection/sync-ended.ts';
import type { MovedCollection, MovedMedia } from '../protocol/report.ts';
import { clientInWords } from './client-words.ts';
import type { SyncOutcome } from './sync-outcome.ts';

/** What one object of each kind is called, in the order of the sentence. */
const OBJECTS: Readonly<Record<keyof ObjectTally, string>> = {
  reviews: 'review',
  cards: 'card',
  notes: 'note',
  decks: 'deck',
  notetypes: 'notetype',
  presets: 'preset',
  tags: 'tag',
  deletions: 'deletion',
};

/** One line for people: who, what, how much, how long; or why not. Holds nothing that was written by somebody outside. */
export function summaryOf(outcome: SyncOutcome): string {
  const who = `${outcome.user}: ${clientInWords(outcome.client)}`;
  return outcome.result === 'done' ? `${who} ${deedOf(outcome)}` : `${who} ${failureOf(outcome)}`;
}

function deedOf({ kind, tally, collection, media, elapsedMs }: SyncOutcome): string {
  const time = secondsInWords(elapsedMs);
  switch (kind) {
    case 'normal':
      return `synced: ${tally === undefined ? 'nothing was new' : exchangeOf(tally)}, ${time}`;
    case 'upload':
      return `uploaded the whole collection: ${collectionInWords(collection)}, ${time}`;
    case 'download':
      return `downloaded the whole collection: ${collectionInWords(collection)}, ${time}`;
    case 'media':
      return `synced media: ${mediaInWords(media)}, ${time}`;
    default:
      return kind satisfies never;
  }
}

function failureOf({ kind, tally, media, why = 'of an unknown cause' }: SyncOutcome): string {
  switch (kind) {
    case 'normal':
      return tally === undefined ? `did not sync, because ${why}` : `did not sync: rolled back, because ${why}`;
    case 'upload':
      return `did not upload the whole collection, because ${why}; what is stored was not touched`;
    case 'download':
      return `did not download the whole collection, because ${why}`;
    case 'media':
      return `did not finish syncing media, because ${why}; done so far: ${mediaInWords(media)}`;
    default:
      return kind satisfies never;
  }
}

function exchangeOf({ sent, got }: NonNullable<SyncOutcome['tally']>): string {
  const parts = [
    { verb: 'sent', objects: objectsInWords(sent) },
    { verb: 'got', objects: objectsInWords(got) },
  ].filter(({ objects }) => objects !== '');
  return parts.length === 0 ? 'nothing was new' : parts.map(({ verb, objects }) => `${verb} ${objects}`).join(', ');
}

function objectsInWords(tally: ObjectTally): string {
  return Object.entries(OBJECTS)
    .map(([kind, name]) => ({ count: tally[kind as keyof ObjectTally], name }))
    .filter(({ count }) => count > 0)
    .map(({ count, name }) => counted(count, name))
    .join(', ');
}

function collectionInWords(collection: MovedCollection | undefined): string {
  if (collection === undefined) return 'of an unknown size';
  const { notes, cards, reviews, bytes } = collection;
  return [counted(notes, 'note'), counted(cards, 'card'), counted(reviews, 'review'), bytesInWords(bytes)].join(', ');
}

function mediaInWords(media: MovedMedia | undefined): string {
  const parts: string[] = [];
  if (media === undefined) return 'nothing';
  const { filesSent, bytesSent, filesDeleted, filesGot, bytesGot } = media;
  if (filesSent > 0) parts.push(`sent ${counted(filesSent, 'file')}, ${bytesInWords(bytesSent)}`);
  if (filesDeleted > 0) parts.push(`deleted ${filesDeleted}`);
  if (filesGot > 0) parts.push(`got ${counted(filesGot, 'file')}, ${bytesInWords(bytesGot)}`);
  return parts.length === 0 ? 'nothing was new' : parts.join(', ');
}

function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** `999 bytes`, `1.2 MB`; units of a thousand. */
export function bytesInWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? counted(bytes, 'byte') : `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** `1.2 s` */
export function secondsInWords(ms: number): string {
  if (ms < 100) return 'under 0.1 s';
  return `${(ms / 1000).toFixed(1)} s`;
}
