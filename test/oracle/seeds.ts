/** `TEST_LENGTH=long` asks for as much as a night allows. */
export const testIsLong = process.env.TEST_LENGTH === 'long';

/**
 * The seeds of random histories: `HISTORY_SEED` (one, or several with commas between) repeats a history that failed; a
 * normal run takes the same few each time, a long run many that nobody has seen. Titles of tests name them.
 */
export function historySeeds(counts: { readonly normally: number; readonly long: number }): readonly number[] {
  const wanted = process.env.HISTORY_SEED;
  if (wanted !== undefined) return wanted.split(',').map(Number);
  const first = testIsLong ? Math.floor(Math.random() * 1e9) : 1;
  return Array.from({ length: testIsLong ? counts.long : counts.normally }, (_, index) => first + index);
}
