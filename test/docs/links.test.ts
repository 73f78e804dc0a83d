import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { anchors, everywhere, isOuter, links, PAGES, ROOT } from './pages.ts';

test('every link between pages leads to a file or a heading that is there', () => {
  assert.deepEqual(
    everywhere(
      (text) => links(text).filter((link) => !isOuter(link)),
      (link, file) => {
        const [to = '', anchor] = link.split('#');
        const target = to === '' ? file : path.posix.join(path.posix.dirname(file), to);
        if (target.startsWith('..') || !existsSync(path.join(ROOT, target))) return true;
        return anchor !== undefined && !anchors(PAGES.get(target) ?? '').includes(decodeURIComponent(anchor));
      },
    ),
    [],
  );
});

test('every link that leads out of the project is an https address of a public host', () => {
  const isGood = (link: string): boolean => {
    const url = URL.parse(link);
    return url?.protocol === 'https:' && /^[a-z\d-]+(?:\.[a-z\d-]+)+$/.test(url.hostname) && url.username === '';
  };
  assert.deepEqual(
    everywhere(
      (text) => links(text).filter(isOuter),
      (link) => !isGood(link),
    ),
    [],
  );
});

test('every page can be reached from the README of its language or from the index', () => {
  const reached = new Set(['README.md', 'README.ja.md']);
  for (const file of reached) {
    for (const link of links(PAGES.get(file) ?? '').filter((each) => !isOuter(each))) {
      const target = path.posix.join(path.posix.dirname(file), link.split('#')[0] ?? '');
      if (PAGES.has(target)) reached.add(target);
    }
  }
  assert.deepEqual(
    [...PAGES.keys()].filter((file) => !reached.has(file)),
    [],
  );
});

test('an address that does not lead anywhere is found', () => {
  assert.deepEqual(anchors('# A `b` c!\n## Same\n## Same\n```\n# no heading\n```\n'), ['a-b-c', 'same', 'same-1']);
  assert.deepEqual(links('[a](b.md#c) ![d](e.png) `[no](link)`\n'), ['b.md#c', 'e.png']);
});
