import type { JsonValue } from '../collection/format/json.ts';
import { nextChunk } from '../collection/pending-chunks.ts';
import { writeCardRow, writeNoteRow, writeRevlogRow } from './chunk-rows.ts';
import { inSync } from './handler.ts';

/** `chunk`: the next reviews, cards and notes that the client has not seen. Empty lists are left out. */
export const answerChunk = inSync(
  () => undefined,
  (work) => {
    const rows = nextChunk(work);
    const answer: Record<string, JsonValue> = { done: rows.done };
    if (rows.revlog.length > 0) answer['revlog'] = rows.revlog.map(writeRevlogRow);
    if (rows.cards.length > 0) answer['cards'] = rows.cards.map(writeCardRow);
    if (rows.notes.length > 0) answer['notes'] = rows.notes.map(writeNoteRow);
    return answer;
  },
);
