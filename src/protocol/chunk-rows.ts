import type { JsonValue } from '../collection/format/json.ts';
import { fractionOf } from '../collection/format/json.ts';
import type { CardRow, NoteContent, RevlogRow } from '../collection/rows.ts';
import { SyncError } from '../errors.ts';
import type { ExactInteger, SqlRow, SqlValue } from '../storage/exact-rows.ts';

// Rows cross the wire as lists with fixed positions (`sync-protocol` 5.8). Reading is as strict as the official server;
// writing bends what an old program left in the file to what clients can parse: one bad row fails a whole chunk there.

const u8Max = 0xff;
const u16Max = 0xffff;
const u32Max = 0xffff_ffff;
const i32Min = -0x8000_0000;
const i32Max = 0x7fff_ffff;
const revlogTypeMax = 5;
const cardTypeMax = 3;
const queueMin = -3;
const queueMax = 4;

/** One review as a client sent it. */
export function readRevlogRow(value: JsonValue): RevlogRow {
  const row = asRow(value, 'review', 8, 9);
  const type = row[8];
  return [
    int64(row[0], 'review id'),
    int64(row[1], 'card id of a review'),
    int(row[2], 'usn of a review', i32Min, i32Max),
    int(row[3], 'ease of a review', 0, u8Max),
    whole(row[4], 'interval of a review', i32Min, i32Max),
    whole(row[5], 'last interval of a review', i32Min, i32Max),
    whole(row[6], 'factor of a review', 0, u32Max),
    whole(row[7], 'time of a review', 0, u32Max),
    typeof type === 'number' && Number.isInteger(type) && type >= 0 && type <= revlogTypeMax ? type : 0,
  ];
}

/** One card as a client sent it. */
export function readCardRow(value: JsonValue): CardRow {
  const row = asRow(value, 'card', 18, 18);
  const data = row[17];
  if (typeof data !== 'string') throw malformed('data of a card is not a text');
  return [
    int64(row[0], 'card id'),
    int64(row[1], 'note id of a card'),
    int64(row[2], 'deck id of a card'),
    int(row[3], 'ord of a card', 0, u16Max),
    typeof row[4] === 'bigint'
      ? int64(row[4], 'mtime of a card')
      : whole(row[4], 'mtime of a card', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    int(row[5], 'usn of a card', i32Min, i32Max),
    int(row[6], 'type of a card', 0, cardTypeMax),
    int(row[7], 'queue of a card', queueMin, queueMax),
    whole(row[8], 'due of a card', i32Min, i32Max),
    whole(row[9], 'interval of a card', 0, u32Max),
    int(row[10], 'factor of a card', 0, u16Max),
    int(row[11], 'reps of a card', 0, u32Max),
    int(row[12], 'lapses of a card', 0, u32Max),
    int(row[13], 'left of a card', 0, u32Max),
    whole(row[14], 'original due of a card', i32Min, i32Max),
    int64(row[15], 'original deck id of a card'),
    int(row[16], 'flags of a card', 0, u8Max),
    // Legacy clients leave it empty; Anki's own server stores an empty object.
    data === '' ? '{}' : data,
  ];
}

/** One note as a client sent it; sort field, checksum, flags and data are the server's own matter. */
export function readNoteRow(value: JsonValue): NoteContent {
  const row = asRow(value, 'note', 11, 11);
  int(row[9], 'flags of a note', 0, u32Max);
  text(row[7], 'sort field of a note');
  text(row[8], 'checksum of a note');
  text(row[10], 'data of a note');
  return {
    id: int64(row[0], 'note id'),
    guid: text(row[1], 'guid of a note'),
    notetypeId: int64(row[2], 'notetype id of a note'),
    mtimeSecs: int64(row[3], 'mtime of a note'),
    usn: int(row[4], 'usn of a note', i32Min, i32Max),
    tags: text(row[5], 'tags of a note'),
    fields: text(row[6], 'fields of a note'),
  };
}

/** A row of `revlog` in the form that clients can parse. */
export function writeRevlogRow(row: SqlRow): JsonValue {
  return [
    bigEnough(row[0]),
    bigEnough(row[1]),
    clamped(row[2], i32Min, i32Max),
    clamped(row[3], 0, u8Max),
    clamped(row[4], i32Min, i32Max),
    clamped(row[5], i32Min, i32Max),
    clamped(row[6], 0, u32Max),
    clamped(row[7], 0, u32Max),
    orElse(row[8], 0, revlogTypeMax, 0),
  ];
}

/** A row of `cards` in the form that clients can parse. */
export function writeCardRow(row: SqlRow): JsonValue {
  return [
    bigEnough(row[0]),
    bigEnough(row[1]),
    bigEnough(row[2]),
    clamped(row[3], 0, u16Max),
    bigEnough(row[4]),
    clamped(row[5], i32Min, i32Max),
    clamped(row[6], 0, cardTypeMax),
    clamped(row[7], queueMin, queueMax),
    orElse(row[8], i32Min, i32Max, 0),
    clamped(row[9], 0, u32Max),
    clamped(row[10], 0, u16Max),
    clamped(row[11], 0, u32Max),
    clamped(row[12], 0, u32Max),
    clamped(row[13], 0, u32Max),
    orElse(row[14], i32Min, i32Max, 0),
    bigEnough(row[15]),
    clamped(row[16], 0, u8Max),
    asStoredText(row[17]),
  ];
}

/** id, guid, mid, mod, usn, tags, flds of `notes` in the form that clients can parse. */
export function writeNoteRow(row: SqlRow): JsonValue {
  return [
    bigEnough(row[0]),
    asStoredText(row[1]),
    bigEnough(row[2]),
    bigEnough(row[3]),
    clamped(row[4], i32Min, i32Max),
    asStoredText(row[5]),
    asStoredText(row[6]),
    '',
    '',
    0,
    '',
  ];
}

function asRow(value: JsonValue, what: string, lengthMin: number, lengthMax: number): readonly JsonValue[] {
  if (Array.isArray(value) && value.length >= lengthMin && value.length <= lengthMax) return value;
  throw malformed(`a ${what} is not a list of ${lengthMax} values`);
}

function int(value: JsonValue | undefined, what: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw malformed(`${what} is not an integer from ${min} to ${max}`);
}

function int64(value: JsonValue | undefined, what: string): ExactInteger {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
  throw malformed(`${what} is not a 64-bit integer`);
}

/** Old clients send fractions here: cut towards zero, then to the bounds of the column. */
function whole(value: JsonValue | undefined, what: string, min: number, max: number): number {
  const number = typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : fractionOf(value);
  if (number === undefined) throw malformed(`${what} is not a number`);
  return Math.min(Math.max(Math.trunc(number), min), max) + 0;
}

function text(value: JsonValue | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw malformed(`${what} is not a text`);
}

function bigEnough(value: SqlValue | undefined): ExactInteger {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' ? Math.trunc(value) : 0;
}

function clamped(value: SqlValue | undefined, min: number, max: number): number {
  const number = typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : 0;
  return Math.min(Math.max(Math.trunc(number), min), max) + 0;
}

function orElse(value: SqlValue | undefined, min: number, max: number, otherwise: number): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : otherwise;
}

function asStoredText(value: SqlValue | undefined): string {
  return value === null || value === undefined || value instanceof Uint8Array ? '' : String(value);
}

function malformed(detail: string): SyncError {
  return new SyncError('malformedRequest', `Cannot read the chunk: ${detail}`);
}
