import type { Changes } from '../load/sync-device.ts';
import { cardId, cardsPerNote, deckId, firstNoteId, type MadeCollection } from './collections.ts';

let lastReviewId = 1_700_000_000_000;
let lastMtimeSecs = 1_700_000_000;

/** Cards that were studied: each has a newer version and one new review. Begins at the first card of the collection. */
export function studied({ facts }: MadeCollection, cards: number): Pick<Changes, 'cards' | 'revlog'> {
  lastMtimeSecs += 60;
  const ids = Array.from({ length: cards }, (_, at) => at % facts.cards);
  return {
    cards: ids.map((at) => {
      const [note, ord] = [Math.floor(at / cardsPerNote), at % cardsPerNote];
      const noteId = firstNoteId + note;
      return [
        cardId(note, ord),
        noteId,
        deckId,
        ord,
        lastMtimeSecs,
        -1,
        2,
        2,
        900,
        30,
        2500,
        7,
        0,
        0,
        0,
        0,
        0,
        cardData,
      ];
    }),
    revlog: ids.map((at) => {
      lastReviewId += 1;
      return [lastReviewId, cardId(Math.floor(at / cardsPerNote), at % cardsPerNote), -1, 3, 30, 12, 2500, 5000, 1];
    }),
  };
}

const cardData = '{"s":41.25,"d":5.87,"dr":0.9,"decay":0.5,"lrt":1700000000}';

/** Notes that were edited. */
export function edited({ facts }: MadeCollection, notes: number): Changes['notes'] {
  lastMtimeSecs += 60;
  return Array.from({ length: notes }, (_, at) => {
    const fields = `word number ${at}\u001fits translation, edited at ${lastMtimeSecs} and of some length`;
    return [firstNoteId + at, `edited${at}`, facts.notetypeId, lastMtimeSecs, -1, ' bench ', fields, '', '', 0, ''];
  });
}

/** The deck that everything lies in, after a day of studying. */
export function studiedDeck(): Changes['decks'][number] {
  lastMtimeSecs += 60;
  const today = [1000, 200];
  return {
    ...{ id: deckId, name: 'Default', mod: lastMtimeSecs, lrnToday: today, revToday: today, newToday: today },
    ...{ timeToday: today, collapsed: false, browserCollapsed: true, desc: '', dyn: 0, conf: 1 },
    ...{ extendNew: 0, extendRev: 0 },
  };
}
