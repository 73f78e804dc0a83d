import { mergeCards, mergeNotes, mergeReviews } from '../collection/chunk-writer.ts';
import type { JsonValue } from '../collection/format/json.ts';
import type { CardRow, NoteContent, RevlogRow } from '../collection/rows.ts';
import { readCardRow, readNoteRow, readRevlogRow } from './chunk-rows.ts';
import { inSync } from './handler.ts';
import { asBoolean, asList, asObject } from './shape.ts';

interface ChunkContent {
  readonly revlog: readonly RevlogRow[];
  readonly cards: readonly CardRow[];
  readonly notes: readonly NoteContent[];
}

/** `applyChunk`: reviews, cards and notes that the client has changed. Each list may be absent. */
export const answerApplyChunk = inSync(readChunk, (work, chunk) => {
  mergeReviews(work, chunk.revlog);
  mergeCards(work, chunk.cards);
  mergeNotes(work, chunk.notes);
  return null;
});

function readChunk(body: JsonValue): ChunkContent {
  const chunk = asObject(asObject(body, 'the message')['chunk'], 'chunk');
  // Not needed here, but a wrong one tells of a broken client.
  if (chunk['done'] !== undefined && chunk['done'] !== null) asBoolean(chunk['done'], 'done');
  return {
    revlog: optionalList(chunk['revlog'], 'revlog').map(readRevlogRow),
    cards: optionalList(chunk['cards'], 'cards').map(readCardRow),
    notes: optionalList(chunk['notes'], 'notes').map(readNoteRow),
  };
}

function optionalList(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  return value === undefined || value === null ? [] : asList(value, what);
}
