/** Between the levels of a deck's name in the database; people and messages write `::`. */
const NATIVE_SEPARATOR = '\x1f';
const HUMAN_SEPARATOR = '::';
/** What a level of a deck or tag is called when cleaning leaves nothing of its name. */
const BLANK_LEVEL = 'blank';

const CONTROLS = /[\p{Cc}&&\p{ASCII}]/gv;
const CONTROLS_BUT_LINE_FEED_AND_TAB = /[[\p{Cc}&&\p{ASCII}]--[\n\t]]/gv;
/** Unicode's property, not what `trim()` takes: U+0085 is white space and U+FEFF is none. All of it lies in the BMP. */
const WHITE_SPACE = /^\p{White_Space}$/u;
const TAG_BLANKS = /[ \u3000]/g;

/** The stored name of a deck that a message calls `human` (`Languages::日本語`): levels cleaned, joined by U+001F. */
export function normalizeDeckName(human: string): string {
  return human.split(HUMAN_SEPARATOR).map(cleanDeckLevel).join(NATIVE_SEPARATOR);
}

/** The stored name of a deck whose levels are already separated by U+001F, with every level cleaned. */
export function normalizeNativeDeckName(native: string): string {
  return native.split(NATIVE_SEPARATOR).map(cleanDeckLevel).join(NATIVE_SEPARATOR);
}

/** A stored deck name as people and messages write it. */
export function nativeToHuman(native: string): string {
  return native.replaceAll(NATIVE_SEPARATOR, HUMAN_SEPARATOR);
}

/** The form in which a tag is registered. Blanks inside are dropped, not split at: one text stays one tag. */
export function normalizeTagName(text: string): string {
  return text.split(HUMAN_SEPARATOR).map(cleanTagLevel).join(HUMAN_SEPARATOR);
}

/** `name` with as many `suffix`es as it takes until nobody has it. `isTaken` decides what counts as the same name. */
export function uniqueName(name: string, suffix: string, isTaken: (name: string) => boolean): string {
  let unique = name;
  while (isTaken(unique)) unique += suffix;
  return unique;
}

/** The tags in a note's `tags` column, in order and as spelled; repeated ones stay. */
export function splitNoteTags(text: string): string[] {
  return text.split(TAG_BLANKS).filter((tag) => tag !== '');
}

/** A note's `tags` column: a blank on both sides of every tag, so that ` tag ` finds it; empty without tags. */
export function joinNoteTags(tags: readonly string[]): string {
  return tags.length === 0 ? '' : ` ${tags.join(' ')} `;
}

/** A field as a sync stores it: without ASCII control characters, but for line feed and tab. Not NFC, on purpose. */
export function cleanField(text: string): string {
  return text.replace(CONTROLS_BUT_LINE_FEED_AND_TAB, '');
}

/** The order is Anki's: a control character between a letter and its accent keeps the two from becoming one. */
function cleanDeckLevel(level: string): string {
  const cleaned = trimWhere(
    level.normalize('NFC').replace(CONTROLS, ''),
    (unit) => unit === ':' || WHITE_SPACE.test(unit),
  );
  return cleaned === '' ? BLANK_LEVEL : cleaned;
}

function cleanTagLevel(level: string): string {
  const packed = level.normalize('NFC').replace(CONTROLS, '').replace(TAG_BLANKS, '');
  const cleaned = trimWhere(packed, (unit) => WHITE_SPACE.test(unit));
  return cleaned === '' ? BLANK_LEVEL : cleaned;
}

/** A loop, because a regular expression anchored at the end takes quadratic time on a long run of blanks. */
function trimWhere(text: string, isTrimmed: (unit: string) => boolean): string {
  let first = 0;
  let end = text.length;
  while (first < end && isTrimmed(text.charAt(first))) first++;
  while (end > first && isTrimmed(text.charAt(end - 1))) end--;
  return text.slice(first, end);
}
