import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SETTINGS } from '../src/config/config.ts';
import { MEDIA_METHODS, SYNC_METHODS } from '../src/protocol/message.ts';
import { PURPOSES } from './oracle/on-purpose.ts';

const ROOT = path.join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** Every page, by its path from the root. */
const PAGES: ReadonlyMap<string, string> = new Map(
  globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).map((file) => [file.replaceAll(path.sep, '/'), read(file)]),
);
const SCRIPTS: readonly string[] = Object.keys(JSON.parse(read('package.json')).scripts);

/** Variables that are not the server's: those of old clients, and one of the official server that is read if need be. */
const FOREIGN_VARIABLES = ['SYNC_ENDPOINT', 'SYNC_ENDPOINT_MEDIA', 'RUST_LOG'];
const VARIABLE = /\b(?:SYNC|MAX_SYNC|PASSWORDS|RUST|TEST)_[A-Z][A-Z0-9_]*n?/g;

function page(file: string): string {
  const text = PAGES.get(file);
  assert.ok(text !== undefined, `there is no ${file}`);
  return text;
}

/** Without blocks of code, where a `#` begins a comment. */
function prose(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, '');
}

function headings(text: string): { readonly level: number; readonly title: string }[] {
  return [...prose(text).matchAll(/^(#+) (.+)$/gm)].map(([, marks = '', title = '']) => ({
    level: marks.length,
    title,
  }));
}

/** The address of a heading within its page, as GitHub makes it. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

function codeBlocks(text: string): string[] {
  return [...text.matchAll(/^```.*?\n(.*?)^```$/gms)].map(([, code = '']) => code);
}

/** What stands between single backticks. */
function codeSpans(text: string): string[] {
  return [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

function tableRows(text: string): string[] {
  return [...prose(text).matchAll(/^\|.*\|$/gm)].map(([row]) => row);
}

/** Targets of links that lead to files of the project or into a page. */
function innerLinks(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** `SYNC_USER2` and `SYNC_USERn` stand for the same variable as `SYNC_USER1`. */
function variablesIn(text: string): string[] {
  return [...text.matchAll(VARIABLE)].map(([name]) => name.replace(/^(SYNC_USER)(?:\d+|n)$/, '$11'));
}

function everywhere(find: (text: string) => readonly string[], isWrong: (found: string, file: string) => boolean) {
  return [...PAGES].flatMap(([file, text]) =>
    find(text)
      .filter((found) => isWrong(found, file))
      .map((found) => `${file}: ${found}`),
  );
}

test('the README describes every setting in the words of the program', () => {
  const rows = SETTINGS.map(({ name, byDefault, meaning }) => `| ${asCode(name)} | ${byDefault} | ${meaning} |`);
  const shown = tableRows(page('README.md'));
  for (const row of rows) assert.ok(shown.includes(row), `README.md lacks this row:\n${row}`);
});

/** A list of names, each between backticks. */
function asCode(names: string): string {
  return names.replaceAll(/[A-Z_]+\d*/g, '`$&`');
}

test('every variable that is read is a setting, and every variable in a page exists', () => {
  const settings = new Set(SETTINGS.flatMap(({ name }) => variablesIn(name)));
  const readByProgram = globSync('src/config/*.ts', { cwd: ROOT })
    .flatMap((file) => [...read(file).matchAll(/env\['([A-Z_]+)'\]/g)])
    .map(([, name = '']) => name);
  assert.ok(readByProgram.length > 0);
  const unknown = readByProgram.filter((name) => !settings.has(name) && !FOREIGN_VARIABLES.includes(name));
  assert.deepEqual(unknown, []);
  const readByTests = variablesIn(globSync('test/**/*.ts', { cwd: ROOT }).map(read).join('\n'));
  const known = new Set([...settings, ...FOREIGN_VARIABLES, ...readByTests.filter((name) => name.startsWith('TEST_'))]);
  assert.deepEqual(
    everywhere(variablesIn, (name) => !known.has(name)),
    [],
  );
});

test('the Japanese README has the sections, tables, commands, variables and links of the English one', () => {
  const [english, japanese] = [page('README.md'), page('README.ja.md')];
  const levels = (text: string) => headings(text).map(({ level }) => level);
  assert.deepEqual(levels(japanese), levels(english));
  assert.equal(tableRows(japanese).length, tableRows(english).length);
  assert.deepEqual(codeBlocks(japanese), codeBlocks(english));
  const once = (names: readonly string[]) => [...new Set(names)].sort();
  assert.deepEqual(once(variablesIn(japanese)), once(variablesIn(english)));
  const pagesLinked = (text: string) => once(innerLinks(text).filter((link) => !/README|^#/.test(link)));
  assert.deepEqual(pagesLinked(japanese), pagesLinked(english));
});

test('every link between pages leads somewhere', () => {
  const isDead = (link: string, file: string): boolean => {
    const [to = '', anchor] = link.split('#');
    const target = to === '' ? file : path.posix.join(path.posix.dirname(file), to);
    if (!existsSync(path.join(ROOT, target))) return true;
    if (anchor === undefined) return false;
    return !headings(PAGES.get(target) ?? '').some(({ title }) => anchorOf(title) === decodeURIComponent(anchor));
  };
  assert.deepEqual(everywhere(innerLinks, isDead), []);
});

test('every file of the project that a page names exists', () => {
  const namedFiles = (text: string) =>
    codeSpans(text).filter((code) => /^(?:src|test|bench|bin|docs|\.ci)\/[\w./-]*$/.test(code));
  assert.deepEqual(
    everywhere(namedFiles, (file) => !existsSync(path.join(ROOT, file))),
    [],
  );
});

test('every npm command in a page exists', () => {
  const commands = (text: string) =>
    [...text.matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w:-]+)/g)].map(([, script = '']) => script);
  assert.deepEqual(
    everywhere(commands, (script) => !SCRIPTS.includes(script)),
    [],
  );
});

test('the architecture page says which file answers each message', () => {
  const rows = tableRows(page('docs/architecture.md'));
  const lacking = [...SYNC_METHODS, ...MEDIA_METHODS].filter(
    (method) => !rows.some((row) => row.startsWith(`| \`${method}\` |`) && /`src\/[\w./-]+\.ts`/.test(row)),
  );
  assert.deepEqual(lacking, []);
});

test('the page about differences tells every one that is shown on both servers', () => {
  const lines = page('docs/differences.md').split('\n');
  const untold = PURPOSES.map(({ title }) => title).filter((title) => !lines.includes(`- ${title}`));
  assert.deepEqual(untold, []);
});

test('the index of decisions lists every note', () => {
  const listed = innerLinks(page('docs/decisions/README.md'));
  const notes = [...PAGES.keys()].filter((file) => file.startsWith('docs/decisions/'));
  const names = notes.map((file) => path.posix.basename(file)).filter((name) => name !== 'README.md');
  assert.deepEqual(
    names.filter((name) => !listed.includes(name)),
    [],
  );
});

test('the changelog speaks of the version that package.json has', () => {
  const { version } = JSON.parse(read('package.json'));
  const titles = headings(page('CHANGELOG.md')).map(({ title }) => title);
  assert.ok(
    titles.some((title) => title.startsWith(version)),
    `no heading for ${version}`,
  );
});

test('the licence is the AGPL, version 3 or later, in full', () => {
  assert.equal(JSON.parse(read('package.json')).license, 'AGPL-3.0-or-later');
  // The text as the Free Software Foundation publishes it, 661 lines.
  const published = '0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0';
  assert.equal(
    createHash('sha256')
      .update(readFileSync(path.join(ROOT, 'LICENSE')))
      .digest('hex'),
    published,
  );
});
