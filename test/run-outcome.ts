import path from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** The closing lines of node's runner, in its order and words. */
const TOTALS = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const;
type Total = (typeof TOTALS)[number];
const TOTAL_LINE = new RegExp(`^(${TOTALS.join('|')}|duration_ms) ([\\d.]+)$`);

type EventData<Type extends TestEvent['type']> = Extract<TestEvent, { type: Type }>['data'];

/** What came of several runs of node's test runner, which are told as if they were one. */
export class RunOutcome {
  readonly #totals = new Map<Total, number>(TOTALS.map((name) => [name, 0]));
  readonly #notRun: string[] = [];
  #everyRunSucceeded = true;

  /** Did tests run, and did all of them pass? Skipped ones do not count against it. */
  get succeeded(): boolean {
    return this.#everyRunSucceeded && (this.#totals.get('pass') ?? 0) > 0;
  }

  /** Tests that were skipped or put off, each with its file and reason. */
  get notRun(): readonly string[] {
    return this.#notRun;
  }

  /** Takes note of an event; false when it is to be kept back, because it sums up only one of the runs. */
  note(event: TestEvent): boolean {
    switch (event.type) {
      case 'test:pass':
      case 'test:fail':
        this.#noteTest(event.data);
        return true;
      case 'test:diagnostic':
        return !this.#addTotal(event.data);
      case 'test:summary':
        if (event.data.file !== undefined) return true;
        this.#everyRunSucceeded &&= event.data.success;
        return false;
      default:
        return true;
    }
  }

  /** The closing lines for all runs together. */
  closingEvents(durationMs: number): TestEvent[] {
    const lines = [...[...this.#totals].map(([name, count]) => `${name} ${count}`), `duration_ms ${durationMs}`];
    return lines.map((message) => ({
      type: 'test:diagnostic',
      data: { nesting: 0, message, level: 'info' },
    }));
  }

  #noteTest({ name, file, skip, todo }: EventData<'test:pass' | 'test:fail'>): void {
    const reason = skip ?? todo;
    if (reason === undefined || reason === false) return;
    const where = file === undefined ? '' : `${path.relative(process.cwd(), file)}: `;
    this.#notRun.push(`${where}${name}${typeof reason === 'string' && reason !== '' ? ` (${reason})` : ''}`);
  }

  #addTotal({ file, nesting, message }: EventData<'test:diagnostic'>): boolean {
    const found = file === undefined && nesting === 0 ? TOTAL_LINE.exec(message) : null;
    const total = TOTALS.find((name) => name === found?.[1]);
    if (total !== undefined) this.#totals.set(total, (this.#totals.get(total) ?? 0) + Number(found?.[2]));
    return found !== null;
  }
}
