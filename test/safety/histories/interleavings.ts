/** Something that was asked at the same time as other things. */
export interface Asked<Request, Reply> {
  readonly request: Request;
  /** Undefined when the client went away: then it has happened or not. */
  readonly reply: Reply | undefined;
}

/**
 * All states in which something can be after requests that ran one at a time, in an order that nobody knows, with the
 * answers that they gave. Empty when no order explains the answers.
 */
export function statesAfter<State, Request, Reply>(
  states: readonly State[],
  asked: readonly Asked<Request, Reply>[],
  step: (state: State, request: Request, reply: Reply | undefined) => State[],
  textOf: (state: State) => string,
): State[] {
  const seen = new Set<string>();
  const ends = new Map<string, State>();
  const isAnswered = asked.map(({ reply }) => reply !== undefined);
  const walk = (state: State, done: number): void => {
    const text = `${done} ${textOf(state)}`;
    if (seen.has(text)) return;
    seen.add(text);
    if (isAnswered.every((answered, index) => !answered || (done & (1 << index)) !== 0)) ends.set(textOf(state), state);
    asked.forEach(({ request, reply }, index) => {
      if ((done & (1 << index)) !== 0) return;
      for (const next of step(state, request, reply)) walk(next, done | (1 << index));
    });
  };
  for (const state of states) walk(state, 0);
  return [...ends.values()];
}
