/** What is to be reached. */
export interface Target {
  /** Highest share of the official server's value, */
  readonly ratioMax?: number;
  /** or lowest, where more is better. */
  readonly ratioMin?: number;
  /** Highest value whatever the official server does. */
  readonly valueMax?: number;
}

export type Unit = 'ms' | 'MB' | '/s' | 'requests';

/** One number of one run. */
export interface Measure {
  /** A row of the table, such as "Full upload, 115 MB". */
  readonly work: string;
  /** What of it, such as "time". */
  readonly what: string;
  readonly unit: Unit;
  readonly value: number;
  readonly target?: Target;
}

/** The same of both servers: medians over the runs. */
export interface Comparison extends Omit<Measure, 'value'> {
  readonly ours: number | undefined;
  readonly official: number | undefined;
  /** Ours, divided by the official server's. */
  readonly ratio: number | undefined;
  /** Undefined when there is no target, or nothing to compare with. */
  readonly isReached: boolean | undefined;
}

/** Is the target reached? Undefined without a target, or when a ratio is wanted and there is none. */
export function isReached(target: Target | undefined, ours: number, ratio: number | undefined): boolean | undefined {
  if (target === undefined) return undefined;
  const { ratioMax, ratioMin, valueMax } = target;
  if ((ratioMax !== undefined || ratioMin !== undefined) && ratio === undefined) return undefined;
  return (
    ours <= (valueMax ?? Number.POSITIVE_INFINITY) &&
    (ratio ?? 0) <= (ratioMax ?? Number.POSITIVE_INFINITY) &&
    (ratio ?? Number.POSITIVE_INFINITY) >= (ratioMin ?? 0)
  );
}
