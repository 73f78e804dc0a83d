import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The folder of the project. */
export const ROOT = path.join(import.meta.dirname, '../..');

/** The text of a file, by its path from the root. */
export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** Every page, by its path from the root. */
export const PAGES: ReadonlyMap<string, string> = new Map(
  globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).map((file) => [file.replaceAll(path.sep, '/'), read(file)]),
);

/** The text of a page. Fails when there is none. */
export function page(file: string): string {
  const text = PAGES.get(file);
  assert.ok(text !== undefined, `there is no ${file}`);
  return text;
}

/** Without blocks of code, where a `#` begins a comment, and without remarks for whoever edits the page. */
export function prose(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```$/gms, '').replaceAll(/<!--.*?-->/gs, '');
}

/** A heading of a page, without its `#`. */
export interface Heading {
  /** 1 for the title of the page. */
  readonly level: number;
  readonly title: string;
}

export function headings(text: string): Heading[] {
  return [...prose(text).matchAll(/^(#+) (.+)$/gm)].map(([, marks = '', title = '']) => ({
    level: marks.length,
    title,
  }));
}

/** The addresses of all headings of a page, as GitHub makes them: the second of two equal ones gets `-1`. */
export function anchors(text: string): readonly string[] {
  const seen = new Map<string, number>();
  return headings(text).map(({ title }) => {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

/** A block of code with what its first line says of the language. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
}

export function codeBlocks(text: string): CodeBlock[] {
  return [...text.matchAll(/^ *```(.*?)\n(.*?)^ *```$/gms)].map(([, language = '', code = '']) => ({ language, code }));
}

/** What stands between single backticks. */
export function codeSpans(text: string): string[] {
  return [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
}

/** Lines of tables, with their heads and rules. */
export function tableRows(text: string): string[] {
  return [...prose(text).matchAll(/^ *\|.*\|$/gm)].map(([row]) => row.trim());
}

/** How many rows each table of a page has. */
export function tableSizes(text: string): number[] {
  return [...prose(text).matchAll(/(?:^ *\|.*\|\n?)+/gm)].map(([table]) => table.trim().split('\n').length);
}

/** Targets of links and pictures. */
export function links(text: string): string[] {
  const withoutSpans = prose(text).replaceAll(/`[^`\n]+`/g, '');
  return [...withoutSpans.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** Does a link lead out of the project? */
export function isOuter(link: string): boolean {
  return /^[a-z]+:/.test(link);
}

/** Every find in every page that is wrong, with the page. */
export function everywhere(
  find: (text: string) => readonly string[],
  isWrong: (found: string, file: string) => boolean,
): string[] {
  return [...PAGES].flatMap(([file, text]) =>
    find(text)
      .filter((found) => isWrong(found, file))
      .map((found) => `${file}: ${found}`),
  );
}
