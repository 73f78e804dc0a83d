import type { CareCalls } from '../../lanes/care-calls.ts';

/** `verify [user] [--repair]`: exit code 1 when something is wrong that was not mended. */
export async function verifyCommand(care: CareCalls, user: string | undefined, repair: boolean): Promise<0 | 1> {
  const verified = await care.verify(user === undefined ? { repair } : { user, repair });
  for (const { user: name, problems, notes } of verified) {
    console.log(`${name}: ${problems.length === 0 ? 'all is well' : `${problems.length} problems`}`);
    for (const problem of problems) console.log(`  PROBLEM  ${problem}`);
    for (const note of notes) console.log(`  ${note}`);
  }
  return verified.some(({ problems }) => problems.length > 0) ? 1 : 0;
}
