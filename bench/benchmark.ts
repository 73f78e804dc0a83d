import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import path from 'node:path';
import { messageOf } from '../src/errors.ts';
import { newestClient } from '../test/support/clients.ts';
import type { Comparison } from './measures.ts';
import type { Options } from './options.ts';
import { compare, type RunMeasures, tableOf } from './report.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { CURVES } from './scenarios/curves.ts';
import { soak } from './scenarios/soak.ts';
import type { ServerCommands, ServerKind } from './servers/server-process.ts';
import { type Scenario, World } from './world.ts';
import { type MeasuredPart, writeMeasured } from './write-docs.ts';

export interface BenchmarkSettings {
  readonly options: Options;
  readonly commands: ServerCommands;
  /** For the report. */
  readonly notes: readonly string[];
  /** Collections are kept here; data folders live here while a server runs. */
  readonly cacheFolder: string;
}

/** What came of a benchmark. */
export interface BenchmarkResult {
  readonly comparisons: readonly Comparison[];
  /** Runs that ended with a wrong answer or an error. */
  readonly failures: readonly Failure[];
  /** Share of one core that the load generator itself took while it measured. */
  readonly generatorShare: number;
}

export interface Failure {
  readonly scenario: string;
  readonly kind: ServerKind;
  readonly reason: string;
  /** What the server printed last. */
  readonly log: string;
}

/** Runs the scenarios, prints the table as it grows and returns the exit code: 1 for a wrong answer, never for a slow one. */
export async function benchmark(settings: BenchmarkSettings): Promise<number> {
  const { options, cacheFolder, notes } = settings;
  const wanted = options.soak ? [soak] : options.curves ? CURVES : SCENARIOS;
  const scenarios = wanted.filter(
    ({ name }) => options.only.length === 0 || options.only.some((part) => name.includes(part)),
  );
  if (scenarios.length === 0) {
    console.error(`No scenario is called ${options.only.join(', ')}; see --list.`);
    return 1;
  }
  const startLoad = load();
  console.log([machine(), ...notes].join('\n'));
  const result = await measure(settings, scenarios);
  const text = `${tableOf(result.comparisons)}\n${closingWords(result)}`;
  console.log(`\n${text}`);
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(path.join(cacheFolder, 'last.md'), text);
  appendFileSync(path.join(cacheFolder, 'results.jsonl'), `${JSON.stringify({ at: new Date(), ...result })}\n`);
  // That the other server does not get through with little memory is a result like any other.
  if (options.write && result.failures.every(({ kind }) => kind === 'official')) {
    writeMeasured(partOf(options), `${[runInWords(options, startLoad), ...notes].join(' ')}\n\n${text}`);
  }
  for (const failure of result.failures) console.error(`${inWords(failure)}\n${failure.log}`);
  return result.failures.length === 0 ? 0 : 1;
}

/** Every scenario with both servers in turn, so that what else the machine does hits both alike. */
export async function measure(
  { options, commands, cacheFolder }: BenchmarkSettings,
  scenarios: readonly Scenario[],
): Promise<BenchmarkResult> {
  const comparisons: Comparison[] = [];
  const failures: Failure[] = [];
  const keptFolders: string[] = [];
  let [ownCpuMs, measuredMs] = [0, 0];
  for (const scenario of scenarios) {
    const runs: RunMeasures[] = [];
    for (let round = 0; round < options.amounts.rounds; round++) {
      for (const kind of options.servers) {
        const world = new World(kind, options.amounts, commands, cacheFolder);
        const startedMs = performance.now();
        try {
          await scenario.run(world);
        } catch (error) {
          failures.push({ scenario: scenario.name, kind, reason: messageOf(error), log: world.lastWords });
        }
        keptFolders.push(...world.keptFolders);
        runs.push({ kind, measures: world.measures });
        ownCpuMs += world.ownCpuMs;
        measuredMs += world.measuredMs;
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
        console.log(`${scenario.name} ${round + 1}/${options.amounts.rounds} ${kind}: ${seconds} s, load ${load()}`);
      }
    }
    const compared = compare(runs);
    comparisons.push(...compared);
    console.log(tableOf(compared));
  }
  for (const folder of keptFolders) rmSync(folder, { recursive: true, force: true });
  return { comparisons, failures, generatorShare: ownCpuMs / Math.max(measuredMs, 1) };
}

function partOf({ soak, curves, limits }: Options): MeasuredPart {
  if (soak) return 'soak';
  if (curves) return 'curves';
  return limits.cores === undefined && limits.memoryBytes === undefined ? 'table' : 'small machine';
}

/** What a reader has to know in order to repeat it. */
function runInWords({ amounts, length, servers }: Options, startLoad: string): string {
  const rounds = amounts.rounds === 1 ? 'one round' : `medians of ${amounts.rounds} rounds`;
  const cores = availableParallelism() === 2 ? 'two' : String(availableParallelism());
  return (
    `One run with ${length} amounts, ${rounds}, ${servers.length === 2 ? 'both servers in turn' : 'this server alone'}; ` +
    `${cores} cores, ${process.arch}, ${process.platform}, Node ${process.version}; ` +
    `official server ${newestClient}; load of the machine before the run ${startLoad}, after it ${load()}.`
  );
}

function closingWords({ comparisons, failures, generatorShare }: BenchmarkResult): string {
  const judged = comparisons.filter((row) => row.isReached !== undefined);
  const reached = judged.filter((row) => row.isReached === true).length;
  const wrong =
    failures.length === 0 ? 'All answers were right.' : `Runs that failed: ${failures.map(inWords).join('; ')}.`;
  const own = `The load generator took ${Math.round(generatorShare * 100)} % of one core while it measured.`;
  return `${reached} of ${judged.length} targets reached. ${wrong} ${own}\n`;
}

function inWords({ scenario, kind, reason }: Failure): string {
  return `${scenario}, ${kind} server: ${reason}`;
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}), ${gigabytes} GiB, ${process.platform} ${process.arch}, Node ${process.version}, load ${load()}`;
}

/** Average number of processes that wanted to run in the last minute. */
function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}
