import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HTML4_ENTITIES } from './html4-entities.ts';
import { deriveNoteColumns, fieldChecksum, stripHtml } from './strip-html.ts';

const NOTHING_TO_STRIP = [
  '',
  'plain',
  ' a  b\n',
  'a<b',
  'a > b',
  '<!-- a',
  'a\u00a0b',
  '日本',
  'e\u0301',
  '&',
  '<',
  '<<',
];
for (const text of NOTHING_TO_STRIP) {
  test(`${JSON.stringify(text)} stays as it is`, () => assert.equal(stripHtml(text), text));
}

const MEDIA: Readonly<Record<string, string>> = {
  '<img src=foo.jpg>': ' foo.jpg ',
  'a<IMG SRC="foo bar.jpg" alt="x">b': 'a foo bar.jpg b',
  "<audio controls src='a.mp3'></audio>": ' a.mp3 ',
  '<video\nsrc="a.mp4"\n>': ' a.mp4 ',
  '<object data="a.svg">': ' a.svg ',
  '<source src=a.ogg>': ' a.ogg ',
  '<\u017fource \u017frc=a.ogg>': ' a.ogg ',
  '<img src=foo bar>': ' foo ',
  '<img src= foo.jpg>': '  foo.jpg ',
  '<img src=foo.jpg/>': ' foo.jpg/ ',
  '<img src="">': ' "" ',
  '<img src="" alt="x">': ' "" ',
  '<img src="a>b">': ' a>b ',
  '<img src="a>b': ' "a b',
  '<img src=">">': ' > ',
  '<img src="a" title=">" b>': ' a " b>',
  '<img class="a>b" src="c.jpg">': ' c.jpg ',
  "<img class='a>b' src='c.jpg'>": ' c.jpg ',
  '<img class="a>b src=c.jpg>': 'b src=c.jpg>',
  '<img a="x>y>z" b=\'>"\' src=c>': ' c ',
  '<img data-src="lazy.jpg">': ' lazy.jpg ',
  '<img src="a.jpg" src="b.jpg">': ' a.jpg ',
  '<img\u00e9 src=x>': '',
  '<img\u0301 src=x>': '',
  '<imgsrc=x>': '',
  '<img_ src=x>': '',
  '<img.src=x>': ' x ',
  '<img xsrc=x>': '',
  '<img \u0301src=x>': '',
  '<img src=>': '',
  '<img src = "x">': '',
  '< img src=x>': '',
  '<img src=x': '<img src=x',
  '<img <img src=x>': ' x ',
  '<img ><img src=x>': ' x ',
  '<img src=&amp;.jpg>': ' &.jpg ',
  '<img src="<b>.jpg">': ' .jpg ',
};
for (const [html, text] of Object.entries(MEDIA)) {
  test(`a media tag leaves its file name: ${JSON.stringify(html)}`, () => assert.equal(stripHtml(html), text));
}

const MARKUP: Readonly<Record<string, string>> = {
  'a<b>c': 'ac',
  'a < b > c': 'a  c',
  '<>x': 'x',
  '<a\nb>x': 'x',
  '<b>a<i>b</i></b>': 'ab',
  '<b title=">">x': '">x',
  'x<!-- <b> -->y': 'xy',
  'x<!-->y-->z': 'xz',
  'x<!-->y': 'xy',
  '<style>a</style>b': 'b',
  '<STYLE type=x>a\nb</Style>c': 'c',
  '<style>a': 'a',
  '<style a</style>b': 'b',
  '<style </style>a</style>b': 'b',
  '<stylex>a</style>b': 'b',
  '<style>a<script>b</style>c</script>': 'c',
  '<script>if (a > b) {}</script>x': 'x',
  '<script>a</style>b': 'ab',
  '</script>a': 'a',
  '<<b>>': '>',
};
for (const [html, text] of Object.entries(MARKUP)) {
  test(`markup goes, text stays: ${JSON.stringify(html)}`, () => assert.equal(stripHtml(html), text));
}

const ENTITIES: Readonly<Record<string, string>> = {
  'a &amp; b': 'a & b',
  '&lt;b&gt;': '<b>',
  '&nbsp;a\u00a0b': ' a b',
  '&#65;&#x41;&#x2e;&#x2E;': 'AA..',
  '&#0;': '\0',
  '&#x10ffff;': '\u{10ffff}',
  [`&#${'0'.repeat(500)}65;`]: 'A',
  '&lang;': '\u2329',
  '&thetasym;': '\u03d1',
  '&amp;lt;': '&lt;',
};
for (const [html, text] of Object.entries(ENTITIES)) {
  test(`entities become characters: ${JSON.stringify(html.slice(0, 30))}`, () => assert.equal(stripHtml(html), text));
}

const UNDECODABLE = ['a & b', '&;', '&apos;', '&Amp;', '&#X41;', '&#x;', '&#;', '&#+1;', '&#x110000;', '&#xd800;'];
for (const reference of [
  ...UNDECODABLE,
  '&amp',
  '&#65',
  '&#99999999999;',
  '& amp;',
  '&a&amp;',
  '&lbrace;',
  '&toString;',
]) {
  test(`one bad reference leaves all of them as they are: ${reference}`, () => {
    assert.equal(stripHtml(`<b>&lt;\u00a0&nbsp;${reference}`), `&lt;\u00a0&nbsp;${reference}`);
  });
}

test('exactly the 252 names of HTML 4.01 are known', () => {
  assert.equal(HTML4_ENTITIES.size, 252);
  assert.equal(new Set(HTML4_ENTITIES.values()).size, 252);
  for (const [name, character] of HTML4_ENTITIES) {
    assert.equal(stripHtml(`&${name};`), name === 'nbsp' ? ' ' : character);
  }
});

const CHECKSUMS: readonly (readonly [string, number])[] = [
  ['test', 2840236005],
  ['<b>te</b>st', 2840236005],
  ['<img src="foo.jpg">', 861030276],
  ['日本', 1155165116],
  ['a & b &nbsp;', 367402123],
];
for (const [field, checksum] of CHECKSUMS) {
  test(`the checksum of ${JSON.stringify(field)} is ${checksum}`, () => {
    assert.equal(fieldChecksum(stripHtml(field)), checksum);
  });
}

test('the checksum comes from the first field, the sort field from the one that the notetype names', () => {
  assert.deepEqual(deriveNoteColumns(['<b>te</b>st', '<i>back</i>'], 1), { sortField: 'back', checksum: 2840236005 });
  assert.deepEqual(deriveNoteColumns(['test', 'back'], 0), { sortField: 'test', checksum: 2840236005 });
  assert.equal(deriveNoteColumns(['test', 'back'], 2).sortField, '');
});

/** The rule for media tags written down without any thought of time: all ways in their order, first one taken. */
function firstReference(html: string, at: number, isInside: boolean): { name: string; end: number } | undefined {
  const rest = html.slice(at);
  if (isInside && /^(?:src|data)=/i.test(rest) && !/\w/.test(html.charAt(at - 1))) {
    const value = at + rest.indexOf('=') + 1;
    for (const form of [/^"([^"]+)"[^>]*>/, /^'([^']+)'[^>]*>/, /^([^>][^> ]*)(?: [^>]*)?>/]) {
      const found = form.exec(html.slice(value));
      if (found !== null) return { name: found[1] ?? '', end: value + found[0].length };
    }
  }
  for (const step of [/^[^>]/, /^"[^"]+"/, /^'[^']+'/]) {
    const taken = step.exec(rest)?.[0];
    const reference = taken === undefined ? undefined : firstReference(html, at + taken.length, true);
    if (reference !== undefined) return reference;
  }
  return undefined;
}

test('among all ways to read a broken media tag, the one of the rule is taken', () => {
  const attributes = fc.array(fc.constantFrom('"', "'", '>', ' ', 'x', 'a=', ' src=', '"src=', ' data='), {
    maxLength: 16,
  });
  fc.assert(
    fc.property(attributes, (parts) => {
      const html = `<img${parts.join('')}`;
      const reference = /^<img\w/.test(html) ? undefined : firstReference(html, 4, false);
      if (reference === undefined) return;
      assert.equal(stripHtml(html), stripHtml(` ${reference.name} ${html.slice(reference.end)}`));
    }),
    { numRuns: 3000 },
  );
});

const HOSTILE = [
  '<',
  '<!--',
  '<style>',
  '<script>x',
  '&',
  '&amp;',
  '&#0',
  '<img ',
  `<img "'>`,
  '<img a="b>" ',
  `<img >'"`,
];
const HOSTILE_STARTS = ['', '<img ', '<img "', '<style><!--'];

for (const part of [...HOSTILE, '<img src="', '<img src=>', '"\'>', `"a"'b'`, '<img data-src', '<img src="a>', '-->']) {
  test(`a megabyte of ${JSON.stringify(part)} is stripped in under 200 ms`, () => {
    for (const start of HOSTILE_STARTS) {
      for (const end of ['', `"'src=>`]) {
        const html = start + part.repeat(Math.ceil(2 ** 20 / part.length)) + end;
        const before = process.threadCpuUsage(); // Not wall time: other tests run beside this one.
        stripHtml(html);
        const spent = process.threadCpuUsage(before);
        assert.ok(spent.user + spent.system < 200_000, `${start}…${end}`);
      }
    }
  });
}
