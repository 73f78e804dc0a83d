import { hash } from 'node:crypto';
import { HTML4_ENTITIES, html4EntityNameLengthMax } from './html4-entities.ts';
import { replaceMediaReferences } from './media-references.ts';

/** The two columns of a note that are never sent and that whoever stores the note computes. */
export interface DerivedNoteColumns {
  /** Column `sfld`, to be bound as text: what its integer affinity makes of `007` is SQLite's business. */
  readonly sortField: string;
  /** Column `csum`, an unsigned 32-bit number. */
  readonly checksum: number;
}

/**
 * What `sfld` and `csum` are for a note with these fields whose notetype sorts by the field at `sortIndex`. Sorting by
 * a field that the note does not have is sorting by nothing.
 */
export function deriveNoteColumns(fields: readonly string[], sortIndex: number): DerivedNoteColumns {
  const first = stripHtml(fields[0] ?? '');
  const sortField = sortIndex === 0 ? first : stripHtml(fields[sortIndex] ?? '');
  return { sortField, checksum: fieldChecksum(first) };
}

/** Checksum of a first field, stripped. */
export function fieldChecksum(stripped: string): number {
  return hash('sha1', stripped, 'buffer').readUInt32BE(0);
}

/**
 * A field as it is compared and sorted: file names in place of media tags, no other markup, entities decoded.
 * Nothing is trimmed, composed or changed in case. Linear in the length of the field, whatever it contains.
 */
export function stripHtml(field: string): string {
  const text = field.includes('<') ? removeMarkup(replaceMediaReferences(field)) : field;
  if (!text.includes('&')) return text;
  return decodeEntities(text)?.replaceAll('\u00a0', ' ') ?? text;
}

function removeMarkup(text: string): string {
  const endOfMarkup = markupFinder(text);
  let kept = '';
  let doneTo = 0;
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', doneTo)) {
    const end = endOfMarkup(at);
    if (end === undefined) break;
    kept += text.slice(doneTo, at);
    doneTo = end;
  }
  return kept + text.slice(doneTo);
}

/** Tells where the markup that begins with the `<` at an index ends; undefined when no `>` follows any more. */
function markupFinder(text: string): (at: number) => number | undefined {
  const afterComment = forwardFinder(text, /-->/g);
  const afterElement = { style: forwardFinder(text, /<\/style>/giu), script: forwardFinder(text, /<\/script>/giu) };
  const afterTag = (from: number) => {
    const close = text.indexOf('>', from);
    return close === -1 ? undefined : close + 1;
  };
  return (at) => {
    if (text.startsWith('<!--', at)) return afterComment(at + 4) ?? afterTag(at);
    const tagEnd = afterTag(at);
    const name = elementAt(text, at);
    if (tagEnd === undefined || name === undefined) return tagEnd;
    return afterElement[name](tagEnd) ?? tagEnd;
  };
}

/** Elements that go with all they contain. Only the beginning of the word counts, so `<stylesheet>` is one as well. */
function elementAt(text: string, at: number): 'style' | 'script' | undefined {
  const start = text.slice(at, at + 7);
  if (/^<style/iu.test(start)) return 'style';
  return /^<script/iu.test(start) ? 'script' : undefined;
}

/** Index after the next match. Asked from left to right only: what was not found once is not looked for again. */
function forwardFinder(text: string, pattern: RegExp): (from: number) => number | undefined {
  let exhausted = false;
  return (from) => {
    if (exhausted) return undefined;
    pattern.lastIndex = from;
    exhausted = !pattern.test(text);
    return exhausted ? undefined : pattern.lastIndex;
  };
}

/** All references decoded, or undefined when a single one is unknown, malformed or has no semicolon. */
function decodeEntities(text: string): string | undefined {
  let decoded = '';
  let doneTo = 0;
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', doneTo)) {
    const end = text.indexOf(';', at);
    const character = end === -1 ? undefined : decodeReference(text.slice(at + 1, end));
    if (character === undefined) return undefined;
    decoded += text.slice(doneTo, at) + character;
    doneTo = end + 1;
  }
  return decoded + text.slice(doneTo);
}

function decodeReference(reference: string): string | undefined {
  if (!reference.startsWith('#')) {
    return reference.length > html4EntityNameLengthMax ? undefined : HTML4_ENTITIES.get(reference);
  }
  const digits = /^#(?:x(?<hex>[0-9a-fA-F]+)|(?<decimal>[0-9]+))$/.exec(reference)?.groups;
  if (digits === undefined) return undefined;
  const code = digits.hex === undefined ? Number.parseInt(digits.decimal ?? '', 10) : Number.parseInt(digits.hex, 16);
  const isScalarValue = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isScalarValue ? String.fromCodePoint(code) : undefined;
}
