/** How bad it is: fine; worth a look; clients cannot sync, or data are in danger. */
export const SEVERITIES = ['ok', 'warning', 'problem'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One thing that was looked at. */
export interface Finding {
  readonly severity: Severity;
  /** What was found, a sentence without a full stop. */
  readonly text: string;
  /** What to do about it, in whole sentences. There for everything that is not fine. */
  readonly remedy?: string;
}

/** The findings of one group of checks. */
export interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}

export function ok(text: string): Finding {
  return { severity: 'ok', text };
}

export function warning(text: string, remedy: string): Finding {
  return { severity: 'warning', text, remedy };
}

export function problem(text: string, remedy: string): Finding {
  return { severity: 'problem', text, remedy };
}

/** The worst of all findings; `ok` when there are none. */
export function worstOf(sections: readonly Section[]): Severity {
  const found = sections.flatMap(({ findings }) => findings.map(({ severity }) => severity));
  return SEVERITIES.findLast((severity) => found.includes(severity)) ?? 'ok';
}
