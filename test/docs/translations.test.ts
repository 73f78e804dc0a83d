import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { codeBlocks, headings, isOuter, links, PAGES, page, tableSizes } from './pages.ts';
import { variablesIn } from './variables-in-pages.ts';

/** What follows it in a page is for those who work on the program, and not translated. */
const END_OF_TRANSLATION = '<!-- English only from here. -->';

/** Pages for those who work on the program, in English only. */
const ENGLISH_ONLY = ['architecture', 'compatibility', 'differences', 'performance'];

const userPages = [...PAGES.keys()]
  .filter((file) => /^docs\/[\w-]+\.md$/.test(file))
  .map((file) => file.slice('docs/'.length, -'.md'.length))
  .filter((name) => !ENGLISH_ONLY.includes(name));

const PAIRS: readonly (readonly [english: string, japanese: string])[] = [
  ['README.md', 'README.ja.md'],
  ...userPages.map((name) => [`docs/${name}.md`, `docs/ja/${name}.md`] as const),
];

test('every page for users has a Japanese twin, and no twin is left over', () => {
  const twins = [...PAGES.keys()].filter((file) => file.startsWith('docs/ja/')).toSorted();
  const wanted = userPages.map((name) => `docs/ja/${name}.md`).toSorted();
  assert.deepEqual(twins, wanted);
});

for (const [english, japanese] of PAIRS.filter(([, twin]) => PAGES.has(twin))) {
  suite(`${japanese} says what ${english} says`, () => {
    const [from = ''] = page(english).split(END_OF_TRANSLATION);
    const to = page(japanese);

    test('the same sections', () => {
      const levels = (text: string) => headings(text).map(({ level }) => level);
      assert.deepEqual(levels(to), levels(from));
    });

    test('tables of the same length', () => assert.deepEqual(tableSizes(to), tableSizes(from)));

    test('the same code', () => assert.deepEqual(codeOf(to), codeOf(from)));

    test('the same settings', () => assert.deepEqual(once(variablesIn(to)), once(variablesIn(from))));

    test('the same links', () => {
      assert.deepEqual(linksOf(to, japanese, japanese), linksOf(from, english, japanese));
    });

    test('it is written in Japanese', () => {
      const letters = to.match(/\p{Script=Hiragana}/gu)?.length ?? 0;
      assert.ok(letters > to.length / 20, `${letters} hiragana`);
    });
  });
}

/** Commands and files; remarks in them may be translated. */
function codeOf(text: string): readonly string[] {
  return codeBlocks(text).map(({ language, code }) => `${language}\n${code.replaceAll(/(^|\s)#\s.*$/gm, '$1#')}`);
}

/** Where the links of a page lead, seen from the root, without headings, which have other names; to Japanese where there is. */
function linksOf(text: string, file: string, japanese: string): readonly string[] {
  const folder = file.split('/').slice(0, -1);
  const targets = links(text).map((link) => {
    if (isOuter(link)) return link;
    const [to = ''] = link.split('#');
    const path = to === '' ? file : new URL(to, `http://pages/${[...folder, ''].join('/')}`).pathname.slice(1);
    return twinOf(path);
  });
  return once(targets.filter((target) => target !== twinOf(japanese)));
}

function twinOf(file: string): string {
  const [, twin] = PAIRS.find(([english]) => english === file) ?? [];
  return twin ?? file.replace(/(?<!\.ja)\.png$/, '.ja.png');
}

function once(names: readonly string[]): string[] {
  return [...new Set(names)].toSorted();
}
