import { type CollectionContent, collectionContent } from '../exchanges/collection-content.ts';
import { differences } from '../exchanges/differences.ts';
import { asList, asObject, type Json, parseLossless } from '../exchanges/lossless-json.ts';
import { zipEntries } from '../exchanges/zip-entries.ts';
import type { RawReply } from '../support/raw-client.ts';
import type { RawStep } from './raw-history.ts';

const graveKinds = ['cards', 'notes', 'decks'] as const;
/** `graves.type` of each. */
const graveTypes = { cards: 0, notes: 1, decks: 2 } as const;

/** The JSON of an answer; undefined for refusals, files and texts. */
export function jsonOf(step: RawStep, answer: RawReply): Json | undefined {
  const isJson = answer.status === 200 && !/upload$|download$|downloadFiles$/.test(step.path);
  return isJson ? parseLossless(answer.body.toString()) : undefined;
}

/**
 * Compares what two servers answer in the course of one history: everything that a client can notice, but for the texts of
 * refusals, which are each server's own.
 *
 * One difference is meant to be: a repeated deletion gets a new usn from this server, so that a third device hears of it,
 * while the official one keeps the old usn. All the others are kept out of the histories; they have tests of their own.
 */
export class RawComparison {
  /** Deletions that were sent, and those that were sent again: `cards 1500000000101`. */
  readonly #deleted = new Set<string>();
  readonly #deletedAgain = new Set<string>();

  /** Where the answers differ, one line a place. */
  differences(step: RawStep, actual: RawReply, expected: RawReply): readonly string[] {
    // What no client sends may be taken by this server where the official one refuses it.
    if (step.isOdd && expected.status === 400 && actual.status === 200) return [];
    if (actual.status !== 200 || expected.status !== 200) return differences(actual.status, expected.status);
    this.#noteDeletions(step, expected);
    const [ours, theirs] = [actual, expected].map((answer) => this.#comparable(step, answer));
    return differences(ours, theirs);
  }

  #comparable(step: RawStep, answer: RawReply): unknown {
    switch (step.path) {
      case 'sync/upload':
        return answer.body.toString();
      case 'sync/download':
        return this.#withoutRepeatedGraves(collectionContent(answer.body));
      case 'msync/downloadFiles':
        return zipEntries(answer.body);
    }
    const json = parseLossless(answer.body.toString());
    switch (step.path) {
      case 'sync/start':
        return Object.fromEntries(
          graveKinds.map((kind) => [kind, this.#firstDeletions(kind, asObject(json, 'graves')[kind])]),
        );
      case 'sync/applyChanges':
        return byId(json);
      case 'msync/begin':
        return { ...asObject(json, 'begin'), data: 'names the host key' };
      default:
        return json;
    }
  }

  #noteDeletions({ path, body }: RawStep, answer: RawReply): void {
    if (path !== 'sync/start' && path !== 'sync/applyGraves') return;
    const sent = asObject(parseLossless(body.toString()), 'message');
    for (const name of keysOf((path === 'sync/start' ? sent.graves : sent.chunk) ?? null)) {
      if (this.#deleted.has(name)) this.#deletedAgain.add(name);
      this.#deleted.add(name);
    }
    if (path === 'sync/start')
      for (const name of keysOf(parseLossless(answer.body.toString()))) this.#deleted.add(name);
  }

  /** In the order of the ids: clients take the lists as sets. */
  #firstDeletions(kind: (typeof graveKinds)[number], ids: Json | undefined): readonly string[] {
    const names = asList(ids, kind).map((id) => `${kind} ${JSON.stringify(id)}`);
    return names.filter((name) => !this.#deletedAgain.has(name)).sort();
  }

  #withoutRepeatedGraves(content: CollectionContent): CollectionContent {
    const names = new Set<string>();
    for (const name of this.#deletedAgain) {
      const [kind, id] = name.split(' ');
      names.add(`${id} ${graveTypes[kind as keyof typeof graveTypes]}`);
    }
    const graves = Object.entries(content.graves ?? {}).map(([key, row]) => [
      key,
      names.has(key) ? { ...row, usn: 'any' } : row,
    ]);
    return { ...content, graves: Object.fromEntries(graves) };
  }
}

function keysOf(graves: Json): readonly string[] {
  if (graves === null) return [];
  const lists = asObject(graves, 'graves');
  return graveKinds.flatMap((kind) => asList(lists[kind], kind).map((id) => `${kind} ${JSON.stringify(id)}`));
}

/** Small objects come in the order of some index, which no client looks at. */
function byId(changes: Json): unknown {
  const { models, decks, tags, ...rest } = asObject(changes, 'changes');
  const [deckList, configList] = asList(decks, 'decks');
  const named = (list: Json | undefined) =>
    Object.fromEntries(asList(list, 'list').map((item) => [JSON.stringify(asObject(item, 'object').id), item]));
  const tagList = asList(tags, 'tags').map((tag) => JSON.stringify(tag));
  return { ...rest, models: named(models), decks: named(deckList), configs: named(configList), tags: tagList.sort() };
}
