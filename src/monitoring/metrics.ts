import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { emptyTally, type SyncTally } from '../collection/sync-ended.ts';
import type { Log } from '../log.ts';
import type { TellWorkEvent } from '../worker/work-event.ts';
import { METRICS, type MetricDefinition, type MetricKey } from './metric-list.ts';
import type { RequestOver } from './request-over.ts';
import { SYNC_KINDS, SYNC_RESULTS, type SyncOutcome, type SyncResult } from './sync-outcome.ts';

type OfType<Type extends MetricDefinition['type']> = {
  [Key in MetricKey]: (typeof METRICS)[Key]['type'] extends Type ? Key : never;
}[MetricKey];

/** Values of the labels of a metric, in their order. */
type Labels = Readonly<Record<string, string>>;

/** Counts what happens. The numbers live in memory and begin anew with every start, as Prometheus expects. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Counter | Gauge | Histogram>();

  /** `version` is that of the server. */
  constructor(version: string) {
    for (const [key, definition] of Object.entries(METRICS)) this.#metrics.set(key, this.#create(definition));
    collectDefaultMetrics({ register: this.#registry });
    this.set('info', 1, { version, node: process.versions.node });
    this.#beginWithNothing();
  }

  /** What to say beside `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text form that Prometheus reads. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Stops measuring; nothing is kept alive by it afterwards. */
  close(): void {
    this.#registry.clear();
  }

  readonly requestOver = ({ method, status, elapsedMs, bytesIn, bytesOut }: RequestOver): void => {
    const message = method ?? 'other';
    this.#count('requests', 1, { message, status: String(status) });
    this.#observe('requestSeconds', elapsedMs, { message });
    this.#count('receivedBytes', bytesIn);
    this.#count('sentBytes', bytesOut);
    if (method === 'hostKey') this.#count('logins', 1, { result: loginResult(status) });
  };

  readonly syncOver = ({ kind, result, elapsedMs, tally, media }: SyncOutcome): void => {
    this.#count('syncs', 1, { kind, result: labelOf(result) });
    if (result === 'done') {
      this.#observe('syncSeconds', elapsedMs, { kind });
      if (tally !== undefined) this.#countObjects(tally);
    }
    if (media === undefined) return;
    this.#count('mediaFiles', media.filesSent, { direction: 'sent' });
    this.#count('mediaFiles', media.filesDeleted, { direction: 'deleted' });
    this.#count('mediaFiles', media.filesGot, { direction: 'got' });
  };

  readonly workEvent: TellWorkEvent = (event) => {
    if (event.kind === 'thread died') this.#count('threadDeaths', 1);
    if (event.kind !== 'heavy job ended') return;
    this.#observe('heavySeconds', event.elapsedMs, { job: event.job, result: event.isDone ? 'done' : 'failed' });
  };

  /** The same log; its lines are counted. */
  counting(log: Log): Log {
    const at =
      (level: keyof Log): Log['info'] =>
      (fields, text) => {
        this.#count('logLines', 1, { level });
        log[level](fields, text);
      };
    return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  }

  /** Notes the present value of a gauge. */
  set(key: OfType<'gauge'>, value: number, labels: Labels = {}): void {
    const metric = this.#metrics.get(key);
    if (metric instanceof Gauge) metric.set(labels, value);
  }

  /** Forgets the values of a gauge, for all labels. */
  reset(...keys: readonly OfType<'gauge'>[]): void {
    for (const key of keys) this.#metrics.get(key)?.reset();
  }

  /** Series that come into being with their first event hide it: their increase is told from 0 on only if that was seen. */
  #beginWithNothing(): void {
    for (const kind of SYNC_KINDS) {
      for (const result of SYNC_RESULTS) this.#count('syncs', 0, { kind, result: labelOf(result) });
    }
    for (const result of LOGIN_RESULTS) this.#count('logins', 0, { result });
    for (const level of ['error', 'warn', 'info', 'debug']) this.#count('logLines', 0, { level });
    for (const direction of ['sent', 'deleted', 'got']) this.#count('mediaFiles', 0, { direction });
    this.#countObjects(emptyTally());
  }

  #countObjects(tally: SyncTally): void {
    for (const direction of ['sent', 'got'] as const) {
      for (const [type, count] of Object.entries(tally[direction])) this.#count('objects', count, { direction, type });
    }
  }

  #count(key: OfType<'counter'>, by: number, labels: Labels = {}): void {
    const metric = this.#metrics.get(key);
    if (metric instanceof Counter) metric.inc(labels, by);
  }

  #observe(key: OfType<'histogram'>, elapsedMs: number, labels: Labels): void {
    const metric = this.#metrics.get(key);
    if (metric instanceof Histogram) metric.observe(labels, elapsedMs / 1000);
  }

  #create({ name, type, help, labels = [], buckets = [] }: MetricDefinition): Counter | Gauge | Histogram {
    const common = { name, help, labelNames: [...labels], registers: [this.#registry] };
    switch (type) {
      case 'counter':
        return new Counter(common);
      case 'gauge':
        return new Gauge(common);
      case 'histogram':
        return new Histogram({ ...common, buckets: [...buckets] });
      default:
        return type satisfies never;
    }
  }
}

function labelOf(result: SyncResult): string {
  return result.replaceAll(' ', '_');
}

const LOGIN_RESULTS = ['accepted', 'wrong', 'throttled', 'failed'] as const;

function loginResult(status: number): (typeof LOGIN_RESULTS)[number] {
  if (status === 200) return 'accepted';
  if (status === 403) return 'wrong';
  return status === 429 ? 'throttled' : 'failed';
}
