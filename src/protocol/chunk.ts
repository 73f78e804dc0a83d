import type { JsonValue } from '../collection/format/json.ts';
import { nextChunk } from '../collection/pending-chunks.ts';
import { countObjectsIn } from '../collection/sync-ended.ts';
import { writeCardRow, writeNoteRow, writeRevlogRow } from './chunk-rows.ts';
import { inSync } from './handler.ts';

/** `chunk`: the next reviews, cards and notes that the client has not seen. Empty lists are left out. */
export const answerChunk = inSync(
  () => undefined,
  (work, _content, _collection, { nowMs }) => {
    const rows = nextChunk(work, nowMs);
    const { revlog, cards, notes } = rows;
    countObjectsIn(work.tally.got, { reviews: revlog.length, cards: cards.length, notes: notes.length });
    const answer: Record<string, JsonValue> = { done: rows.done };
    if (revlog.length > 0) answer['revlog'] = revlog.map(writeRevlogRow);
    if (cards.length > 0) answer['cards'] = cards.map(writeCardRow);
    if (notes.length > 0) answer['notes'] = notes.map(writeNoteRow);
    return answer;
  },
);
