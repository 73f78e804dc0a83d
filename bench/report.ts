import { median } from './load/statistics.ts';
import { type Comparison, isReached, type Measure, type Target, type Unit } from './measures.ts';
import type { ServerKind } from './servers/server-process.ts';

/** The measures of one run of a scenario with one server. */
export interface RunMeasures {
  readonly kind: ServerKind;
  readonly measures: readonly Measure[];
}

/** Medians over the runs, in the order in which the measures were first noted. */
export function compare(runs: readonly RunMeasures[]): Comparison[] {
  const first = new Map<string, Measure>();
  for (const measure of runs.flatMap(({ measures }) => measures)) {
    const key = keyOf(measure);
    if (!first.has(key)) first.set(key, measure);
  }
  return [...first].map(([key, { work, what, unit, target }]) => {
    const of = (kind: ServerKind) => medianOf(runs, kind, key);
    const [ours, official] = [of('ours'), of('official')];
    const ratio = ours === undefined || official === undefined || official === 0 ? undefined : ours / official;
    const reached = ours === undefined ? undefined : isReached(target, ours, ratio);
    return { work, what, unit, ours, official, ratio, isReached: reached, ...(target === undefined ? {} : { target }) };
  });
}

function medianOf(runs: readonly RunMeasures[], kind: ServerKind, key: string): number | undefined {
  const values = runs
    .filter((run) => run.kind === kind)
    .flatMap(({ measures }) => measures.filter((measure) => keyOf(measure) === key).map(({ value }) => value));
  return values.length === 0 ? undefined : median(values);
}

function keyOf({ work, what }: Measure): string {
  return `${work}\n${what}`;
}

/** A table in Markdown. */
export function tableOf(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map((row, at) => {
    const work = comparisons[at - 1]?.work === row.work ? '' : row.work;
    const reached = row.isReached === undefined ? '' : row.isReached ? 'yes' : '**no**';
    const ratio = row.ratio === undefined ? '' : formatted(row.ratio);
    return [
      work,
      row.what,
      withUnit(row.official, row.unit),
      withUnit(row.ours, row.unit),
      ratio,
      targetText(row.target, row.unit),
      reached,
    ];
  });
  const head = ['Work', '', 'Official', 'Ours', 'Ratio', 'To reach', 'Reached'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function targetText(target: Target | undefined, unit: Unit): string {
  if (target === undefined) return '';
  const { ratioMax, ratioMin, valueMax } = target;
  return [
    ...(valueMax === undefined ? [] : [`≤ ${withUnit(valueMax, unit)}`]),
    ...(ratioMax === undefined ? [] : [`≤ ${ratioMax}×`]),
    ...(ratioMin === undefined ? [] : [`≥ ${ratioMin}×`]),
  ].join(', ');
}

function withUnit(value: number | undefined, unit: Unit): string {
  if (value === undefined) return '–';
  if (unit === '/s') return `${formatted(value)}/s`;
  if (unit === 'requests') return formatted(value);
  return unit === 'ms' && value >= 10_000 ? `${formatted(value / 1000)} s` : `${formatted(value)} ${unit}`;
}

/** Three digits. */
function formatted(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value < 0.1 ? 2 : 3)));
}
