const WORD = String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]`;
const MEDIA_TAG_START = new RegExp(`<(?:img|audio|video|object|source)(?!${WORD})`, 'giu');
const NAME_ATTRIBUTE = new RegExp(`(?<!${WORD})(?:src|data)=`, 'iuy');

interface MediaReference {
  readonly name: string;
  /** Index after the tag. */
  readonly end: number;
}

/**
 * `html` with every tag that shows or plays a media file replaced by a blank, the file name as written, and a blank.
 * Does what Anki's pattern does, down to broken markup, because checksums of notes depend on it; but in linear time,
 * where an ordinary regular expression takes exponential time on an attribute full of quotes.
 */
export function replaceMediaReferences(html: string): string {
  const search = new MediaTagSearch(html);
  let replaced = '';
  let doneTo = 0;
  for (const start of html.matchAll(MEDIA_TAG_START)) {
    if (start.index < doneTo) continue;
    const reference = search.matchAfter(start.index + start[0].length);
    if (reference === undefined) continue;
    replaced += `${html.slice(doneTo, start.index)} ${reference.name} `;
    doneTo = reference.end;
  }
  return replaced + html.slice(doneTo);
}

/** Places whose onward steps are still to be tried, from `next` down to `first`. */
interface Stretch {
  readonly first: number;
  next: number;
}

/**
 * Between the tag's word and its name attribute lies anything but `>`, one character at a time, or a quoted text in
 * which `>` may occur. The search tries the ways through in the order of Anki's pattern (an attribute here, else one
 * character on, else over a quoted text) and enters no place twice: what fails there fails again, whatever led to it.
 */
class MediaTagSearch {
  readonly #html: string;
  readonly #lastClose: number;
  readonly #entered: Uint8Array;

  constructor(html: string) {
    this.#html = html;
    this.#lastClose = html.lastIndexOf('>');
    this.#entered = new Uint8Array(this.#lastClose + 1);
  }

  /** `start` is the index after `<img` or its like. */
  matchAfter(start: number): MediaReference | undefined {
    const stretches: Stretch[] = [];
    let reference = this.#enter(start, stretches);
    for (let top = stretches.at(-1); top !== undefined && reference === undefined; top = stretches.at(-1)) {
      if (top.next < top.first) {
        stretches.pop();
        continue;
      }
      const afterQuoted = this.#skipQuoted(top.next--);
      if (afterQuoted !== undefined) reference = this.#enter(afterQuoted, stretches);
    }
    return reference;
  }

  /** Looks for the attribute from `first` up to the next `>`; when there is none, notes the stretch for later. */
  #enter(first: number, stretches: Stretch[]): MediaReference | undefined {
    let at = first;
    for (; at < this.#lastClose && this.#entered[at] === 0 && this.#html[at] !== '>'; at++) {
      this.#entered[at] = 1;
      const reference = this.#referenceAt(at);
      if (reference !== undefined) return reference;
    }
    if (at > first) stretches.push({ first, next: at - 1 });
    return undefined;
  }

  /** Index after the quoted text that begins at `at`, if one does. An empty one does not count. */
  #skipQuoted(at: number): number | undefined {
    const closing = this.#closingQuote(at);
    return closing === undefined ? undefined : closing + 1;
  }

  #closingQuote(at: number): number | undefined {
    const quote = this.#html.charAt(at);
    if (quote !== '"' && quote !== "'") return undefined;
    const closing = this.#html.indexOf(quote, at + 1);
    return closing > at + 1 ? closing : undefined;
  }

  #referenceAt(at: number): MediaReference | undefined {
    if (!/[sd\u017f]/i.test(this.#html.charAt(at))) return undefined;
    NAME_ATTRIBUTE.lastIndex = at;
    if (!NAME_ATTRIBUTE.test(this.#html)) return undefined;
    return this.#nameAt(NAME_ATTRIBUTE.lastIndex);
  }

  /** The name in quotes, or else all characters up to the tag's end or a blank, the first one being anything. */
  #nameAt(at: number): MediaReference | undefined {
    if (at >= this.#lastClose || this.#html[at] === '>') return undefined;
    const closing = this.#closingQuote(at);
    if (closing !== undefined && closing < this.#lastClose) {
      return { name: this.#html.slice(at + 1, closing), end: this.#html.indexOf('>', closing + 1) + 1 };
    }
    const close = this.#html.indexOf('>', at);
    const rest = this.#html.slice(at, close);
    const blank = rest.indexOf(' ', 1);
    return { name: blank === -1 ? rest : rest.slice(0, blank), end: close + 1 };
  }
}
