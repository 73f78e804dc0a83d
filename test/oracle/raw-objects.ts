import { exactInteger, type Json } from '../exchanges/lossless-json.ts';
import type { Random } from '../support/random.ts';

// Objects as they cross the wire, with values near the edges of what clients send. Few names and few ids, so that
// objects of several devices meet.

/** What objects are made from. */
export interface Making {
  readonly random: Random;
  readonly nowSecs: number;
  /** Stamped on everything that is sent. */
  readonly usn: number;
}

export type WritableObject = { [key: string]: Json };

const names = [
  'Alpha',
  'alpha',
  'ALPHA ',
  'Alpha::Beta',
  'alpha::beta::Gamma',
  ' Beta',
  'Be\u0007ta',
  'Straße',
  'STRASSE',
  'cafe\u0301',
  'café',
  'ﬃ',
  'ffi',
  'iff',
  'ſ',
  'İ',
  'ı',
  'Σίσυφος',
  'σίσυφοσ',
  '日本::語',
  '',
  '::',
  'a::::b',
  ':x:',
  '__proto__',
  'constructor',
  '10',
  '\u0085next\u0085',
  '\ufeffmark',
  'Ⱡ',
  'ⱡ',
  'Ꟃ',
  'ꟃ',
  '😀',
];

const tags = [...names, 'two words', 'leech', 'Marked', 'marked', '\u3000wide\u3000', 'x::Y', 'X::y::z'];

const fieldTexts = [
  '',
  'plain',
  '12',
  '1.5',
  '007',
  '<b>bold</b> &amp; more',
  'a &nbsp; b & c',
  '<img src="ä b.jpg"> text',
  '[sound:x.mp3]',
  'cafe\u0301',
  'control \u0001\u0007\u007f gone, \n\t kept',
  '😀 日本',
  'x<!-- hidden -->y<style>p{}</style>z',
  '{{c1::cloze}} {{c2::two}}',
  'long '.repeat(400),
];

const noteTags = ['', 'leech', ' a b ', 'a  b a', '\u3000wide\u3000x', 'A a', '__proto__ 10', 'cafe\u0301 café'];

/** Values of `cards.data` in the form in which the official server writes them, which it does with every card. */
const cardData = [
  '{}',
  '{"pos":7}',
  '{"pos":3,"s":12.5,"d":4.75,"dr":0.9,"decay":0.5,"lrt":1700000000}',
  '{"s":0.1234,"d":5.123}',
  '{"cd":"{\\"x\\":1}"}',
];

const otherKeys: readonly (readonly [string, Json])[] = [
  ['addon', { nested: [1, 'two', { __proto__: null, three: 3.5 }], big: exactInteger(9007199254740993n) }],
  ['__proto__', 'a key like any other'],
  ['vers', []],
  ['10', 'ten'],
];

export function noteRow(make: Making, id: Json, notetypeId: Json, fieldCount: number): Json[] {
  const { random } = make;
  const fields = Array.from({ length: fieldCount }, () => random.pick(fieldTexts)).join('\u001f');
  const guid = random.pick(['guid', `g${random.integer(0, 5)}`, 'ol`5S7w#uo', '', 'ü']);
  return [id, guid, notetypeId, mtime(make), make.usn, random.pick(noteTags), fields, '', '', 0, ''];
}

export function cardRow(make: Making, id: Json, noteId: Json, deckId: Json): Json[] {
  const { random } = make;
  const queue = random.pick([-3, -2, -1, 0, 1, 2, 3, 4]);
  const due = random.pick([random.integer(-5, 30000), make.nowSecs + 600, 2 ** 31 - 1, -(2 ** 31)]);
  return [
    id,
    noteId,
    deckId,
    random.pick([0, 0, 1, 7, 65535]),
    mtime(make),
    make.usn,
    random.integer(0, 3),
    queue,
    due,
    random.pick([0, 1, 36500, 2 ** 32 - 1]),
    random.pick([0, 1300, 2500, 65535]),
    random.integer(0, 100),
    random.integer(0, 9),
    random.pick([0, 1001, 2002]),
    random.pick([0, 0, 17, make.nowSecs]),
    random.chance(0.1) ? deckId : 0,
    random.pick([0, 0, 1, 4, 9, 255]),
    random.pick(cardData),
  ];
}

export function revlogRow(make: Making, id: Json, cardId: Json): Json[] {
  const { random } = make;
  return [
    id,
    cardId,
    make.usn,
    random.integer(0, 4),
    random.pick([-600, 0, 3, 36500]),
    random.pick([-60, 0, 3]),
    random.pick([0, 2500, 2 ** 32 - 1]),
    random.integer(0, 60000),
    random.integer(0, 5),
  ];
}

export function normalDeck(make: Making, id: Json, configId: Json): WritableObject {
  const { random } = make;
  const day = random.integer(0, 400);
  return {
    id,
    mod: mtime(make),
    name: random.pick(names),
    usn: make.usn,
    lrnToday: [day, random.integer(0, 9)],
    revToday: [day - random.integer(0, 1), random.integer(-3, 9)],
    newToday: [day, random.integer(0, 9)],
    timeToday: [day, random.integer(0, 99999)],
    collapsed: random.chance(0.5),
    browserCollapsed: random.chance(0.5),
    desc: random.pick(['', 'described', '<b>x</b>']),
    dyn: 0,
    conf: configId,
    extendNew: random.pick([0, 10, -5]),
    extendRev: 0,
    ...(random.chance(0.3) ? { md: random.chance(0.5) } : {}),
    ...(random.chance(0.5) ? { reviewLimit: random.pick([null, 5, 9999]), newLimit: random.pick([null, 0]) } : {}),
    ...(random.chance(0.3) ? { newLimitToday: { limit: 3, today: day }, reviewLimitToday: null } : {}),
    ...(random.chance(0.3) ? { desiredRetention: random.pick([null, 85, 97]) } : {}),
    ...others(random),
  };
}

export function filteredDeck(make: Making, id: Json): WritableObject {
  const { random } = make;
  const { conf: _conf, extendNew: _new, extendRev: _rev, ...common } = normalDeck(make, id, 1);
  const {
    reviewLimit: _a,
    newLimit: _b,
    newLimitToday: _c,
    reviewLimitToday: _d,
    desiredRetention: _e,
    ...rest
  } = common;
  return {
    ...rest,
    dyn: 1,
    resched: random.chance(0.5),
    terms: random.some(
      [
        ['deck:Alpha', 100, 6],
        ['is:due "x y"', 20, 0],
        ['', 1, 10],
      ],
      2,
    ),
    separate: true,
    delays: random.pick([null, [1, 10], [0.5]]),
    previewDelay: 10,
    ...(random.chance(0.5) ? { previewAgainSecs: 60, previewHardSecs: 600, previewGoodSecs: 0 } : {}),
  };
}

export function deckConfig(make: Making, id: Json): WritableObject {
  const { random } = make;
  const fraction = () => random.pick([0, 0.5, 0.9, 1, 1.3, 2.345, 1e-7, 123456.7]);
  return {
    id,
    mod: mtime(make),
    name: random.pick(names),
    usn: make.usn,
    maxTaken: random.pick([60, 7200, -1]),
    autoplay: random.chance(0.5),
    timer: random.integer(0, 1),
    replayq: random.chance(0.5),
    new: {
      bury: random.chance(0.5),
      delays: random.pick([[], [1, 10], [0.5, 1440]]),
      initialFactor: random.pick([1300, 1310, 2500, 2001, 5000]),
      ints: [1, 4, random.integer(0, 7)],
      order: random.integer(0, 1),
      perDay: random.pick([0, 20, 9999]),
      ...(random.chance(0.2) ? { separate: true } : {}),
    },
    rev: { bury: true, ease4: fraction(), ivlFct: fraction(), maxIvl: 36500, perDay: 200, hardFactor: fraction() },
    lapse: { delays: [10], leechAction: random.integer(0, 1), leechFails: 8, minInt: 1, mult: fraction() },
    dyn: false,
    ...(random.chance(0.6) ? modernOptions(make, fraction) : {}),
    ...others(random),
  };
}

function modernOptions({ random }: Making, fraction: () => number): WritableObject {
  return {
    newMix: random.integer(0, 2),
    newPerDayMinimum: random.integer(0, 5),
    interdayLearningMix: 1,
    reviewOrder: random.integer(0, 12),
    newSortOrder: random.integer(0, 4),
    newGatherPriority: random.integer(0, 5),
    buryInterdayLearning: random.chance(0.5),
    fsrsWeights: random.pick<Json>([[], [0.4, 0.6, 2.4, 5.8]]),
    fsrsParams5: [],
    fsrsParams6: random.pick<Json>([[], [0.212, 1.2931, 2.3065]]),
    desiredRetention: random.pick([0.9, 0.85, 0]),
    ignoreRevlogsBeforeDate: random.pick(['', '2020-01-01']),
    easyDaysPercentages: random.pick<Json>([[], [1, 1, 1, 0.5, 1, 0, 1]]),
    stopTimerOnAnswer: random.chance(0.5),
    secondsToShowQuestion: fraction(),
    secondsToShowAnswer: 0,
    questionAction: random.integer(0, 1),
    answerAction: random.integer(0, 4),
    waitForAudio: random.chance(0.5),
    sm2Retention: random.pick([0.9, 0]),
    weightSearch: random.pick(['', 'deck:current']),
  };
}

export function notetype(make: Making, id: Json, fieldCount: number, templateCount: number): WritableObject {
  const { random } = make;
  // A name that occurs twice within one notetype makes the official server refuse the whole sync: rare here.
  const parts = (count: number, made: (ord: number, name: string) => WritableObject) =>
    Array.from({ length: count }, (_, ord) =>
      made(ord, random.chance(0.02) ? 'Twice' : `${random.pick(names)} ${ord}`),
    );
  return {
    id,
    name: random.pick(names),
    type: random.pick([0, 0, 0, 1]),
    mod: mtime(make),
    usn: make.usn,
    sortf: random.pick([0, 0, 1, 9]),
    did: random.pick<Json>([null, 1, 0]),
    css: random.pick(['', '.card { color: red }']),
    tmpls: parts(templateCount, (ord, name) => ({
      name,
      ord,
      qfmt: '{{Front}}',
      afmt: random.pick(['', '{{FrontSide}}']),
      bqfmt: '',
      bafmt: '',
      did: null,
      bfont: '',
      bsize: random.pick([0, 12]),
      ...(random.chance(0.5) ? { id: exactInteger(-8000000000000000000n - BigInt(ord)) } : {}),
      ...others(random),
    })),
    flds: parts(fieldCount, (ord, name) => ({
      name,
      ord,
      sticky: random.chance(0.5),
      rtl: false,
      font: 'Arial',
      size: random.pick([20, 65535]),
      description: random.pick(['', 'told']),
      plainText: random.chance(0.5),
      ...(random.chance(0.5) ? { id: exactInteger(9000000000000000000n + BigInt(ord)), tag: null } : {}),
      ...others(random),
    })),
    latexPre: '\\documentclass',
    latexPost: '\\end',
    latexsvg: random.chance(0.5),
    req: random.pick<Json>([[], [[0, 'any', [0]]], [[0, 'all', [0, 1]]]]),
    ...(random.chance(0.3)
      ? { originalStockKind: random.integer(0, 6), originalId: random.pick([null, 1700000000000]) }
      : {}),
    ...others(random),
  };
}

/** Names of tags, some of them equal but for case or for white space. */
export function tagNames({ random }: Making): string[] {
  return random.some(tags, 6);
}

/** Keys that an add-on may have put into the config. */
export function configKeys({ random }: Making): WritableObject {
  return Object.fromEntries(
    random.some<[string, Json]>(
      [
        ['addon', { list: [1, 2.5, null], text: 'x', '': 'empty key' }],
        ['big', exactInteger(9223372036854775807n)],
        ['fraction', 0.1],
        ['toString', true],
        ['curDeck', 1],
        ['newSpread', 2],
        ['ключ', 'значение'],
      ],
      7,
    ),
  );
}

/** Seconds: mostly now, sometimes a little before or after, so that newer, older and equal times meet. */
function mtime({ random, nowSecs }: Making): number {
  return nowSecs + random.pick([0, 0, -1, -1, -2, -30, 1, 5]);
}

function others(random: Random): WritableObject {
  if (!random.chance(0.2)) return {};
  const entries = random.some(otherKeys, 2);
  const object: WritableObject = {};
  for (const [key, value] of entries)
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true });
  return object;
}
