import { ask, type Reply } from './exchange.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { isKeyRefused, modernQuestion } from './sync-question.ts';

/** The same path with and without the slash at its end. */
export interface SlashFacts {
  readonly url: URL;
  readonly withSlash: Reply;
  readonly withoutSlash: Reply;
}

/** Undefined at the root, where clients put the slash themselves. */
export async function gatherSlash(url: URL): Promise<SlashFacts | undefined> {
  if (url.pathname === '/') return undefined;
  const bare = new URL(url);
  bare.pathname = url.pathname.replace(/\/+$/, '');
  const slashed = new URL(bare);
  slashed.pathname = `${bare.pathname}/`;
  return { url, withSlash: await ask(modernQuestion(slashed)), withoutSlash: await ask(modernQuestion(bare)) };
}

/** Does it matter whether the address is typed with the slash? */
export function judgeSlash({ url, withSlash, withoutSlash }: SlashFacts): readonly Finding[] {
  const [isGood, isGoodBare] = [isKeyRefused(withSlash), isKeyRefused(withoutSlash)];
  if (isGood && isGoodBare) return [ok('the address works with and without the slash at its end')];
  const slashed = `${url.href.replace(/\/+$/, '')}/`;
  if (isGood && !url.pathname.endsWith('/')) {
    const text = 'the slash at the end of the address is missing: clients leave out what stands behind the last one';
    return [problem(text, `Type ${slashed} into Anki.`)];
  }
  if (isGood) {
    const remedy = `Tell people to type ${slashed}, or let the proxy lead /sync/ and /msync/ of this name to the server as well.`;
    return [warning('the address works with the slash at its end only', remedy)];
  }
  return []; // Nothing works, and another check says why.
}
