import { type Finding, type Section, worstOf } from './finding.ts';

const MARKS = { ok: 'ok', warning: 'WARNING', problem: 'PROBLEM' } as const;
const markWidth = 9;

/** The findings for people: a line each, the remedy below it. */
export function textReport(sections: readonly Section[]): string {
  const parts = sections.map(({ title, findings }) => [title, ...findings.flatMap(linesOf)].join('\n'));
  return [...parts, verdict(sections)].join('\n\n');
}

/** The findings for programs. `worst` is that of all. */
export function jsonReport(sections: readonly Section[], url: string | undefined): string {
  return JSON.stringify({ ...(url !== undefined && { url }), worst: worstOf(sections), sections }, undefined, 2);
}

function linesOf({ severity, text, remedy }: Finding): string[] {
  const first = `  ${MARKS[severity].padEnd(markWidth)}${text}`;
  return remedy === undefined ? [first] : [first, `  ${' '.repeat(markWidth)}→ ${remedy}`];
}

function verdict(sections: readonly Section[]): string {
  const count = (wanted: string): number =>
    sections.flatMap(({ findings }) => findings).filter(({ severity }) => severity === wanted).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  if (problems + warnings === 0) return 'All is well.';
  return `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}.`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
