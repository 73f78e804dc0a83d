import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientVersion } from './clients.ts';
import { type DeviceProcess, giveBackProcess, takeProcess } from './device-process.ts';

/** How a press of the sync button ended; the last three leave it to the user (or the caller) to go on. */
export type SyncOutcome = 'no changes' | 'normal' | 'full' | 'upload only' | 'download only';

export interface SyncResult {
  readonly outcome: SyncOutcome;
  /** The server's message to the user, mostly empty. */
  readonly message: string;
  /** The server's media usn, where the client keeps it; a full sync with it is followed by a media sync. */
  readonly mediaUsn: number | null;
}

export interface NewNote {
  readonly fields: readonly string[];
  /** Default: `Basic`. */
  readonly notetype?: string;
  /** Made when it does not exist. Default: `Default`. */
  readonly deck?: string;
  readonly tags?: readonly string[];
  readonly guid?: string;
}

export interface AddedNote {
  readonly note: number;
  readonly cards: readonly number[];
}

export interface CardRow {
  readonly nid: number;
  readonly did: number;
  readonly ord: number;
  readonly type: number;
  readonly queue: number;
  readonly due: number;
  readonly ivl: number;
  readonly factor: number;
  readonly reps: number;
  readonly lapses: number;
  readonly odue: number;
  readonly odid: number;
  readonly flags: number;
}

/** Everything that should be equal on two devices in sync, and what is still waiting to be sent. */
export interface DeviceState {
  /** Path to value, for example `decks/1/name` to `"Default"`. See `driver/state.py`. */
  readonly facts: ReadonlyMap<string, string>;
  /** Kind of object to how many of them the device has not sent yet. */
  readonly unsent: Readonly<Record<string, number>>;
}

export interface DeviceOptions {
  readonly version: ClientVersion;
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** The key that logging in would give; `''` for a device that has never logged in. */
  readonly hostKey: string;
  /** Only for messages of failed tests. */
  readonly name?: string;
}

/** A number that makes each name and file of a test run differ. */
let serial = 0;

/** One device: a client library in a process of its own, with a collection in a temporary folder. */
export class Device {
  readonly version: ClientVersion;
  readonly name: string;
  readonly #folder: string;
  #url: string;
  #hostKey: string;
  #process: DeviceProcess;

  /** A new, empty collection, as after the first start of the program. */
  static async create(options: DeviceOptions): Promise<Device> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'anki-device-'));
    const device = new Device(options, folder, await takeProcess(options.version));
    await mkdir(folder, { recursive: true });
    await device.#open();
    return device;
  }

  private constructor(options: DeviceOptions, folder: string, process: DeviceProcess) {
    this.version = options.version;
    this.name = options.name ?? `device ${++serial}`;
    this.#folder = folder;
    this.#url = options.url;
    this.#hostKey = options.hostKey;
    this.#process = process;
  }

  async #open(): Promise<void> {
    await this.#process.call('open', { path: this.collectionPath });
    await this.#process.call('connect', { url: this.#url, key: this.#hostKey });
  }

  get collectionPath(): string {
    return path.join(this.#folder, 'collection.anki2');
  }

  /** Where the client keeps its media; a client looks again only when the times of folder and file have changed. */
  get mediaFolder(): string {
    return path.join(this.#folder, 'collection.media');
  }

  // -- the server

  /** Another address, for example that of a proxy in front of the same server. */
  async connect(url: string): Promise<void> {
    this.#url = url;
    await this.#process.call('connect', { url, key: this.#hostKey });
  }

  /** Logs in, and uses the key from now on. */
  async login(user: string, password: string): Promise<string> {
    this.#hostKey = await this.#ask<string>('login', { user, password });
    return this.#hostKey;
  }

  /** Uses a key without asking the server for it. */
  async loginWithKey(hostKey: string): Promise<void> {
    this.#hostKey = hostKey;
    await this.connect(this.#url);
  }

  /** What the client asks in the background to colour its sync button. Each process asks at most every five minutes. */
  status(): Promise<string> {
    return this.#ask('status');
  }

  /** One press of the sync button. With `media`, clients that sync media by themselves do it, others do not. */
  sync(options: { readonly media?: boolean } = {}): Promise<SyncResult> {
    return this.#ask('sync', { media: options.media ?? false });
  }

  /** A sync of which only the outcome is of interest. */
  async outcome(): Promise<SyncOutcome> {
    return (await this.sync()).outcome;
  }

  /** Puts this collection in the place of the server's. */
  upload(options: { readonly mediaUsn?: number } = {}): Promise<void> {
    return this.#ask('upload', { media_usn: options.mediaUsn ?? null });
  }

  /** Puts the server's collection in the place of this one. */
  download(options: { readonly mediaUsn?: number } = {}): Promise<void> {
    return this.#ask('download', { media_usn: options.mediaUsn ?? null });
  }

  /** Syncs media and waits for the end. Throws what the client would show. */
  syncMedia(): Promise<void> {
    return this.#ask('media_sync');
  }

  // -- looking

  async state(): Promise<DeviceState> {
    const dump = await this.#ask<{ facts: [string, string][]; unsent: Record<string, number> }>('state');
    return { facts: new Map(dump.facts), unsent: dump.unsent };
  }

  /** The findings of Check Database, which also repairs: for devices that the test needs no more. */
  checkDatabase(): Promise<readonly string[]> {
    return this.#ask('check');
  }

  findNotes(search: string): Promise<readonly number[]> {
    return this.#ask('find_notes', { search });
  }

  note(note: number): Promise<{ fields: readonly string[]; tags: readonly string[]; guid: string }> {
    return this.#ask('note', { note });
  }

  card(card: number): Promise<CardRow> {
    return this.#ask('card', { card });
  }

  cardIds(note: number): Promise<readonly number[]> {
    return this.#ask('card_ids', { note });
  }

  deckNames(): Promise<readonly string[]> {
    return this.#ask('deck_names');
  }

  notetypeNames(): Promise<readonly string[]> {
    return this.#ask('notetype_names');
  }

  tags(): Promise<readonly string[]> {
    return this.#ask('tags');
  }

  config(): Promise<Readonly<Record<string, unknown>>> {
    return this.#ask('config');
  }

  sql(query: string, values: readonly (string | number)[] = []): Promise<readonly (readonly unknown[])[]> {
    return this.#ask('sql', { query, arguments: values });
  }

  /** Name to SHA-1 of the files in the media folder. */
  mediaFiles(): Promise<Readonly<Record<string, string>>> {
    return this.#ask('media_files');
  }

  // -- notes and cards

  addNotes(notes: readonly NewNote[]): Promise<readonly AddedNote[]> {
    return this.#ask('add_notes', { notes });
  }

  async addNote(note: NewNote): Promise<AddedNote> {
    const [added] = await this.addNotes([note]);
    if (added === undefined) throw new Error('the note was not added');
    return added;
  }

  /** `fields` maps a field's number to its text. */
  editNote(
    note: number,
    wish: { readonly fields?: Readonly<Record<number, string>>; readonly tags?: readonly string[] },
  ): Promise<void> {
    return this.#ask('edit_note', { note, ...wish });
  }

  removeNotes(notes: readonly number[]): Promise<void> {
    return this.#ask('remove_notes', { notes });
  }

  removeCards(cards: readonly number[]): Promise<void> {
    return this.#ask('remove_cards', { cards });
  }

  editCard(card: number, values: Readonly<Record<string, number>>): Promise<void> {
    return this.#ask('edit_card', { card, values });
  }

  // -- studying

  /** Before the first upload of an account that old and new releases share. */
  useSchedulerForAll(): Promise<void> {
    return this.#ask('use_newest_common_scheduler');
  }

  /** What releases from 23.10 on ask for before they let anyone study. Protocol 9 clients are turned away from then on. */
  useScheduler3(): Promise<void> {
    return this.#ask('use_scheduler_3');
  }

  /** Answers with the scheduler of the release. Returns the id of the review. */
  answer(card: number, ease: 1 | 2 | 3 | 4): Promise<number> {
    return this.#ask('answer', { card, ease });
  }

  nextCard(deck: string): Promise<number | null> {
    return this.#ask('next_card', { deck });
  }

  suspend(cards: readonly number[]): Promise<void> {
    return this.#ask('suspend', { cards });
  }

  unsuspend(cards: readonly number[]): Promise<void> {
    return this.#ask('unsuspend', { cards });
  }

  bury(cards: readonly number[]): Promise<void> {
    return this.#ask('bury', { cards });
  }

  unbury(deck: string): Promise<void> {
    return this.#ask('unbury', { deck });
  }

  flag(cards: readonly number[], colour: 0 | 1 | 2 | 3 | 4): Promise<void> {
    return this.#ask('flag', { cards, colour });
  }

  forget(cards: readonly number[]): Promise<void> {
    return this.#ask('forget', { cards });
  }

  /** Lets days pass: they are counted from the creation of the collection, which moves back. */
  async makeOlder(days: number): Promise<void> {
    await this.#ask('make_older', { days });
    await this.restart(); // The library remembers when the collection was made.
  }

  // -- decks and their options

  addDeck(name: string): Promise<number> {
    return this.#ask('add_deck', { name });
  }

  renameDeck(deck: number, name: string): Promise<void> {
    return this.#ask('rename_deck', { deck, name });
  }

  editDeck(deck: number, values: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#ask('edit_deck', { deck, values });
  }

  /** With its cards. */
  removeDeck(deck: number): Promise<void> {
    return this.#ask('remove_deck', { deck });
  }

  addOptions(name: string): Promise<number> {
    return this.#ask('add_options', { name });
  }

  /** `values` maps paths such as `new/perDay` to what stands there from now on. */
  editOptions(options: number, values: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#ask('edit_options', { options, values });
  }

  chooseOptions(deck: number, options: number): Promise<void> {
    return this.#ask('choose_options', { deck, options });
  }

  /** Breaks the schema. */
  removeOptions(options: number): Promise<void> {
    return this.#ask('remove_options', { options });
  }

  addFilteredDeck(name: string, search: string): Promise<number> {
    return this.#ask('add_filtered_deck', { name, search });
  }

  rebuildFilteredDeck(deck: number): Promise<void> {
    return this.#ask('rebuild_filtered_deck', { deck });
  }

  emptyFilteredDeck(deck: number): Promise<void> {
    return this.#ask('empty_filtered_deck', { deck });
  }

  // -- notetypes; all but the first two break the schema

  addNotetype(name: string, fields: readonly string[], templates = 1): Promise<number> {
    return this.#ask('add_notetype', { name, fields, templates });
  }

  /** Changes values of the notetype, of its fields and of its templates, the latter two by number. */
  editNotetype(
    notetype: string,
    wish: {
      readonly values?: Readonly<Record<string, unknown>>;
      readonly fields?: Readonly<Record<number, Readonly<Record<string, unknown>>>>;
      readonly templates?: Readonly<Record<number, Readonly<Record<string, unknown>>>>;
    },
  ): Promise<void> {
    return this.#ask('edit_notetype', { notetype, ...wish });
  }

  addField(notetype: string, name: string): Promise<void> {
    return this.#ask('add_field', { notetype, name });
  }

  removeField(notetype: string, name: string): Promise<void> {
    return this.#ask('remove_field', { notetype, name });
  }

  addTemplate(notetype: string, name: string, question: string): Promise<void> {
    return this.#ask('add_template', { notetype, name, question });
  }

  removeTemplate(notetype: string, name: string): Promise<void> {
    return this.#ask('remove_template', { notetype, name });
  }

  removeNotetype(notetype: string): Promise<void> {
    return this.#ask('remove_notetype', { notetype });
  }

  changeNotetype(notes: readonly number[], notetype: string): Promise<void> {
    return this.#ask('change_notetype', { notes, notetype });
  }

  /** What "force one-way sync" does. */
  breakSchema(): Promise<void> {
    return this.#ask('break_schema');
  }

  // -- tags and settings

  /** `tags` are separated by spaces. */
  addTags(notes: readonly number[], tags: string): Promise<void> {
    return this.#ask('add_tags', { notes, tags });
  }

  removeTags(notes: readonly number[], tags: string): Promise<void> {
    return this.#ask('remove_tags', { notes, tags });
  }

  renameTag(old: string, name: string): Promise<void> {
    return this.#ask('rename_tag', { old, new: name });
  }

  clearUnusedTags(): Promise<void> {
    return this.#ask('clear_unused_tags');
  }

  setConfig(key: string, value: unknown): Promise<void> {
    return this.#ask('set_config', { key, value });
  }

  removeConfig(key: string): Promise<void> {
    return this.#ask('remove_config', { key });
  }

  /** What an add-on does that writes into the database itself. */
  changeBySql(statement: string, values: readonly (string | number)[] = []): Promise<void> {
    return this.#ask('change_by_sql', { statement, arguments: values });
  }

  // -- media

  /** Adds or replaces a file. Returns its SHA-1. */
  writeMedia(
    name: string,
    content: string | Uint8Array | { readonly seed: number; readonly size: number },
  ): Promise<string> {
    if (typeof content === 'string') return this.#ask('write_media', { name, text: content });
    if (content instanceof Uint8Array) return this.#ask('write_media', { name, data: content.toBase64() });
    return this.#ask('write_media', { name, ...content });
  }

  removeMedia(name: string): Promise<void> {
    return this.#ask('remove_media', { name });
  }

  // -- life

  /** The program crashes, now. `restart` starts it again. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Starts the program again on the same collection, after closing it properly if it still runs. */
  async restart(): Promise<void> {
    if (this.#process.alive) {
      await this.#process.call('close');
      giveBackProcess(this.#process);
    }
    this.#process = await takeProcess(this.version);
    await this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.alive) {
      await this.#process.call('close');
      giveBackProcess(this.#process);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The driver's results have the shapes that `driver/changes.py` gives them; both sides of the pipe are ours. */
  async #ask<Result>(command: string, values: Readonly<Record<string, unknown>> = {}): Promise<Result> {
    return (await this.#process.call(command, values)) as Result;
  }
}

/** Object times are whole seconds: what happens after this is newer for every client. */
export function nextSecond(): Promise<void> {
  return sleep(1100);
}
