import { asList, asObject, exactInteger, type Json } from '../exchanges/lossless-json.ts';

/** What a server holds, as far as a history needs it. Ids are texts, because some are beyond 2^53. */
export class Contents {
  notes = new Set<string>();
  cards = new Set<string>();
  revlog = new Set<string>();
  decks = new Set<string>();
  configs = new Set<string>();
  /** Id to number of fields and templates. */
  notetypes = new Map<string, readonly [fields: number, templates: number]>();

  copy(): Contents {
    const copy = new Contents();
    for (const key of ['notes', 'cards', 'revlog', 'decks', 'configs'] as const) copy[key] = new Set(this[key]);
    copy.notetypes = new Map(this.notetypes);
    return copy;
  }

  /** What a device that has everything sends with `sanityCheck2`. */
  counts(): Json {
    const { notes, cards, revlog, notetypes, decks, configs } = this;
    return [[0, 0, 0], cards.size, notes.size, revlog.size, 0, notetypes.size, decks.size, configs.size];
  }

  /** Deletions took place: exactly the named objects are gone. */
  forget(graves: Json): void {
    if (graves === null) return;
    for (const kind of ['notes', 'cards', 'decks'] as const) {
      for (const id of asList(asObject(graves, 'graves')[kind], kind)) this[kind].delete(idText(id));
    }
  }

  /** Small objects were merged: whoever's won, each id is there. */
  addChanges(changes: Json): void {
    const { models, decks } = asObject(changes, 'changes');
    for (const model of asList(models, 'models')) {
      const { id, flds, tmpls } = asObject(model, 'notetype');
      const shape = [asList(flds, 'flds').length, asList(tmpls, 'tmpls').length] as const;
      if (!this.notetypes.has(idText(id))) this.notetypes.set(idText(id), shape);
    }
    const [deckList, configList] = asList(decks, 'decks');
    for (const deck of asList(deckList, 'decks')) this.decks.add(idText(asObject(deck, 'deck').id));
    for (const config of asList(configList, 'configs')) this.configs.add(idText(asObject(config, 'config').id));
  }

  /** Rows were merged, likewise. */
  addChunk(chunk: Json): void {
    for (const kind of ['notes', 'cards', 'revlog'] as const) {
      for (const row of asList(asObject(chunk, 'chunk')[kind] ?? [], kind))
        this[kind].add(idText(asList(row, 'row')[0]));
    }
  }
}

/** An id as text, for sets and maps. */
export function idText(id: Json | undefined): string {
  return JSON.stringify(id ?? null);
}

/** The id again. */
export function idOf(text: string): Json {
  const id = BigInt(text);
  return BigInt.asIntN(53, id) === id ? Number(id) : exactInteger(id);
}
