/** Does this run take its time? */
export const isLong = process.env.TEST_LENGTH === 'long';

/** What random choices begin with; TEST_SEED asks for another one. */
export function seedOf(byDefault: number): number {
  return process.env.TEST_SEED === undefined ? byDefault : Number(process.env.TEST_SEED);
}
