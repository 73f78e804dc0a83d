import { isJsonObject, type JsonObject, type JsonValue } from '../collection/format/json.ts';
import { countObjects, type ObjectCounts, tablesWithUnsent } from '../collection/sanity.ts';
import { inSync } from './handler.ts';
import { asInteger, asList, asObject } from './shape.ts';

const u32Max = 0xffff_ffff;
/** Due counts of new, learning and review cards; they depend on the day and the deck, so they are not compared. */
const noDueCounts = [0, 0, 0];

/** Counts as the client sent them, or the complaint of a client that found a fault in itself. */
type ClientReport =
  | { readonly kind: 'counts'; readonly list: JsonValue[] }
  | { readonly kind: 'complaint'; readonly text: string };

/**
 * `sanityCheck2`: do both sides hold the same numbers of objects? If not, the sync is undone. Desktop before 2.1.28 and
 * AnkiDroid before 2.17 send a text in place of the counts when their own check fails.
 */
export const answerSanityCheck = inSync(
  (body) => readReport(asObject(body, 'the message')['client']),
  (work, report, collection) => {
    const mine = countsToList(countObjects(work));
    const unsent = tablesWithUnsent(work);
    const user = collection.folder.user;
    if (report.kind === 'counts' && unsent.length === 0) {
      const theirs = withoutIncomparable(report.list);
      if (JSON.stringify(theirs) === JSON.stringify(mine)) return { status: 'ok', c: theirs, s: mine };
      collection.log.warn(
        { user, client: theirs, server: mine },
        'The sanity check failed: device and server count different numbers of objects; the device offers a full sync',
      );
      collection.abandon('inconsistent', 'the sanity check failed');
      return { status: 'bad', c: theirs, s: mine };
    }
    const theirs = report.kind === 'counts' ? report.list : report.text;
    collection.log.warn(
      { user, client: theirs, unsent },
      'The sanity check failed: one side holds objects that were not sent; the device offers a full sync',
    );
    collection.abandon('inconsistent', 'the sanity check failed');
    return { status: 'bad', c: theirs, s: unsent.length > 0 ? null : mine };
  },
);

function readReport(value: JsonValue | undefined): ClientReport {
  if (typeof value === 'string') return { kind: 'complaint', text: value };
  const list = isJsonObject(value) ? listOfObject(value) : asList(value, 'client');
  const [due, ...counts] = list;
  const dueCounts = asList(due, 'the due counts').map((count) => asInteger(count, 'a due count', 0, u32Max));
  asInteger(dueCounts.length, 'the number of due counts', 3, 3);
  asInteger(counts.length, 'the number of counts', 7, 7);
  return { kind: 'counts', list: [dueCounts, ...counts.map((count) => asInteger(count, 'a count', 0, u32Max))] };
}

/** The official server reads an object with names too; no client is known to send it. */
function listOfObject(value: JsonObject): JsonValue[] {
  const due = asObject(value['counts'], 'counts');
  const names = ['cards', 'notes', 'revlog', 'graves', 'models', 'decks', 'deck_config'];
  return [['new', 'learn', 'review'].map((name) => due[name] ?? null), ...names.map((name) => value[name] ?? null)];
}

/** Without due counts and graves: a client files deletions that it receives, and old ones hold duplicates. */
function withoutIncomparable([, cards, notes, revlog, , ...rest]: JsonValue[]): JsonValue[] {
  return [noDueCounts, cards ?? null, notes ?? null, revlog ?? null, 0, ...rest];
}

function countsToList(counts: ObjectCounts): JsonValue[] {
  return [
    noDueCounts,
    counts.cards,
    counts.notes,
    counts.revlog,
    0,
    counts.notetypes,
    counts.decks,
    counts.deckConfigs,
  ];
}
