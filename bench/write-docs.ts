import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectFolder } from './servers/server-process.ts';

/** The parts of the document that are measured: each stands between two comments of its name. */
export type MeasuredPart = 'table' | 'curves' | 'small machine' | 'soak';

const file = path.join(projectFolder, 'docs/performance.md');

/** Replaces one part by a new text. Throws when the document has no such part. */
export function writeMeasured(part: MeasuredPart, text: string): void {
  const document = readFileSync(file, 'utf8');
  writeFileSync(file, withPart(document, part, text));
}

/** The document with that part replaced. */
export function withPart(document: string, part: MeasuredPart, text: string): string {
  const [begin, end] = [`<!-- measured: ${part} -->`, `<!-- end of ${part} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`The document has no part "${part}"`);
  return `${document.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${document.slice(to)}`;
}
