import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { create } from '@bufbuild/protobuf';
import { replaceFile } from '../storage/replace-file.ts';
import { encodeBlob } from './format/blobs.ts';
import {
  CardRequirementSchema,
  DeckCommonSchema,
  DeckConfigConfigSchema,
  DeckKindSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './format/proto/collection_pb.ts';
import { SCHEMA_11 } from './schema-11.ts';
import { STOCK_LATEX_POST, STOCK_LATEX_PRE, STOCK_NOTETYPES, type StockNotetype } from './stock-notetypes.ts';
import { upgradeFile } from './upgrade-file.ts';

/** Hour of local time at which Anki's day begins. */
const rolloverHour = 4;

/** Deck and deck config "Default". */
const defaultId = 1;

/** `NotetypeConfig.CardRequirement.Kind` */
const requirementKind = { any: 1, all: 2 } as const;

const INSERT_COL = `
  INSERT INTO col (id, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags)
  VALUES (1, :crt, 0, :scm, 11, 0, 0, 0, :conf, '{}', '{}', '{}', '{}')
`;

// Anki leaves this one usn at -1. Config is sent whole and never counted, so it means nothing.
const SET_CURRENT_NOTETYPE = "UPDATE config SET val = :val, mtime_secs = :mtimeSecs, usn = -1 WHERE KEY = 'curModel'";
const INSERT_DECK_CONFIG =
  "INSERT INTO deck_config (id, name, mtime_secs, usn, config) VALUES (:id, 'Default', 0, 0, :config)";
const INSERT_DECK =
  "INSERT INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (:id, 'Default', 0, 0, :common, :kind)";
const INSERT_NOTETYPE = 'INSERT INTO notetypes (id, name, mtime_secs, usn, config) VALUES (:id, :name, 0, 0, :config)';
const INSERT_FIELD = 'INSERT INTO fields (ntid, ord, name, config) VALUES (:ntid, :ord, :name, :config)';
const INSERT_TEMPLATE = `
  INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (:ntid, :ord, :name, 0, 0, :config)
`;

/** Source: collection-format, the conf of a new collection on a server. */
const NEW_CONFIG = {
  activeDecks: [defaultId],
  addToCur: true,
  collapseTime: 1200,
  creationOffset: null, // A client puts its time zone here.
  curDeck: defaultId,
  curModel: null,
  dayLearnFirst: false,
  dueCounts: true,
  estTimes: true,
  newSpread: 0,
  nextPos: 1,
  sched2021: true,
  schedVer: 2,
  sortBackwards: false,
  sortType: 'noteFld',
  timeLim: 0,
};

/** Source: collection-format, a new deck config. What is not named is zero, false or empty. */
const NEW_DECK_CONFIG = {
  learnSteps: [1, 10],
  relearnSteps: [10],
  easyDaysPercentages: [1, 1, 1, 1, 1, 1, 1],
  newPerDay: 20,
  reviewsPerDay: 200,
  initialEase: 2.5,
  easyMultiplier: 1.3,
  hardMultiplier: 1.2,
  intervalMultiplier: 1,
  maximumReviewInterval: 36500,
  minimumLapseInterval: 1,
  graduatingIntervalGood: 1,
  graduatingIntervalEasy: 4,
  leechAction: 1,
  leechThreshold: 8,
  capAnswerTimeToSecs: 60,
  desiredRetention: 0.9,
  historicalRetention: 0.9,
  waitForAudio: true,
};

/**
 * Makes the collection of a new account, as the official server does: no cards, the stock notetypes, deck and deck
 * config "Default". `mod` is 0, because a new client has 0 too and equal values mean that nothing is to be synced.
 *
 * The file appears whole and durable, in canonical form, replacing what is there. For the heavy-work thread.
 */
export async function createCollection(collectionPath: string, { nowMs }: { nowMs: number }): Promise<void> {
  const temp = `${collectionPath}.${randomUUID()}.tmp`;
  try {
    writeSchema11(temp, nowMs);
    await upgradeFile(temp, { nowSecs: Math.floor(nowMs / 1000), after: (db) => insertStock(db, nowMs) });
    replaceFile(temp, collectionPath);
  } catch (error) {
    for (const suffix of ['', '-journal', '-wal']) rmSync(temp + suffix, { force: true });
    throw error;
  }
}

/** The latest beginning of a day in the server's time zone, epoch seconds. */
export function creationTimeSecs(nowMs: number): number {
  const day = new Date(nowMs);
  day.setHours(rolloverHour, 0, 0, 0);
  if (day.getTime() > nowMs) day.setDate(day.getDate() - 1);
  return Math.floor(day.getTime() / 1000);
}

function writeSchema11(file: string, nowMs: number): void {
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA page_size=4096; BEGIN; ${SCHEMA_11}`);
    db.prepare(INSERT_COL).run({ crt: creationTimeSecs(nowMs), scm: nowMs, conf: JSON.stringify(NEW_CONFIG) });
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

function insertStock(db: DatabaseSync, nowMs: number): void {
  const config = encodeBlob(DeckConfigConfigSchema, create(DeckConfigConfigSchema, NEW_DECK_CONFIG));
  db.prepare(INSERT_DECK_CONFIG).run({ id: defaultId, config });
  const common = create(DeckCommonSchema, { studyCollapsed: true, browserCollapsed: true });
  const kind = create(DeckKindSchema, { kind: { case: 'normal', value: { configId: BigInt(defaultId) } } });
  const deck = { common: encodeBlob(DeckCommonSchema, common), kind: encodeBlob(DeckKindSchema, kind) };
  db.prepare(INSERT_DECK).run({ id: defaultId, ...deck });
  for (const [at, notetype] of STOCK_NOTETYPES.entries()) insertNotetype(db, nowMs + at, notetype);
  db.prepare(SET_CURRENT_NOTETYPE).run({ val: Buffer.from(String(nowMs)), mtimeSecs: Math.floor(nowMs / 1000) });
}

function insertNotetype(db: DatabaseSync, id: number, stock: StockNotetype): void {
  db.prepare(INSERT_NOTETYPE).run({ id, name: stock.name, config: notetypeConfig(stock) });
  for (const [ord, { name, tag, preventDeletion = false }] of stock.fields.entries()) {
    const config = create(FieldConfigSchema, { fontName: 'Arial', fontSize: 20, id: randomId(), preventDeletion });
    if (tag !== undefined) config.tag = tag;
    db.prepare(INSERT_FIELD).run({ ntid: id, ord, name, config: encodeBlob(FieldConfigSchema, config) });
  }
  for (const [ord, { name, question, answer }] of stock.templates.entries()) {
    const config = create(TemplateConfigSchema, { qFormat: question, aFormat: answer, id: randomId() });
    db.prepare(INSERT_TEMPLATE).run({ ntid: id, ord, name, config: encodeBlob(TemplateConfigSchema, config) });
  }
}

function notetypeConfig(stock: StockNotetype): Uint8Array {
  const reqs = stock.requirements.map((requirement, cardOrd) =>
    'any' in requirement
      ? { cardOrd, kind: requirementKind.any, fieldOrds: [...requirement.any] }
      : { cardOrd, kind: requirementKind.all, fieldOrds: [...requirement.all] },
  );
  const config = create(NotetypeConfigSchema, {
    kind: stock.kind === 'cloze' ? 1 : 0,
    css: stock.css,
    latexPre: STOCK_LATEX_PRE,
    latexPost: STOCK_LATEX_POST,
    reqs: reqs.map((requirement) => create(CardRequirementSchema, requirement)),
    originalStockKind: stock.stockKind,
  });
  return encodeBlob(NotetypeConfigSchema, config);
}

/** Tells fields and templates apart when they are renamed or moved: any 64 bits. */
function randomId(): bigint {
  return randomBytes(8).readBigInt64LE();
}
