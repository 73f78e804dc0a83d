import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CLIENT_RELEASES, type ClientVersion, newestClient, oldestModernClient } from './clients.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import type { Device } from './device.ts';
import { preparePythonEnv, preparePythonEnvs } from './python-envs.ts';
import { type Server, type ServerOptions, serverUnderTest, startServer } from './server.ts';

/** How much is run: `TEST_LENGTH` is `quick` (newest client only), `normal` or `long` (heavy scenarios with all). */
export type TestLength = 'quick' | 'normal' | 'long';
export const testLength: TestLength = parseLength(process.env.TEST_LENGTH);

/** Scenarios wait more than they compute: for the next second, for each other's processes. */
const scenariosAtOnceMax = 4;
const scenarioMsMax = 5 * 60 * 1000;
const logLinesShown = 30;

const allVersions: readonly ClientVersion[] = CLIENT_RELEASES.map((release) => release.version);

export interface ScenarioOptions {
  /** Default: all. */
  readonly clients?: readonly ClientVersion[];
  /** Clients that lack the feature, or do something else by design, each with the reason. */
  readonly except?: Partial<Readonly<Record<ClientVersion, string>>>;
  /** A weakness that only the official server has: with it the scenario is skipped. */
  readonly notOfficial?: string;
}

/** What a scenario gets: a fresh account, devices of its client, and everything tidied up behind it. */
export interface World {
  readonly version: ClientVersion;
  readonly server: Server;
  /** An account that nobody has used before. */
  readonly user: string;
  /** Whether the heavy form is wanted; without it, show the same thing with less. */
  readonly heavy: boolean;
  /** A new device of this account; other than the scenario's version only in mixed pairs. */
  device(name: string, version?: ClientVersion): Promise<Device>;
  /** A proxy in front of the server, which can stop between two messages. */
  proxy(): Promise<CuttingProxy>;
  /** A server for this scenario alone, for example to be killed. */
  ownServer(options?: ServerOptions): Promise<World>;
}

type Run = (world: World) => Promise<void>;

/** One row of the compatibility table. */
export interface ScenarioRecord {
  readonly topic: string;
  readonly title: string;
  /** Below the project's folder. */
  readonly file: string;
  readonly clients: readonly ClientVersion[];
  readonly except: Partial<Readonly<Record<ClientVersion, string>>>;
  /** For mixed accounts: which releases share one. */
  readonly pairs: readonly (readonly [ClientVersion, ClientVersion])[];
}

export interface Define {
  /** One test per client. The title is a law that a user would recognise. */
  scenario(title: string, options: ScenarioOptions, run: Run): void;
  /** One test per pair of clients on one account; the world's version is the first of the pair. */
  mixed(
    title: string,
    pairs: readonly (readonly [ClientVersion, ClientVersion])[],
    run: (world: World, other: ClientVersion) => Promise<void>,
  ): void;
}

interface Case {
  readonly name: string;
  readonly needs: readonly ClientVersion[];
  readonly notOfficial: string | undefined;
  readonly run: Run;
}

/**
 * The scenarios of one test file, on one server with an account for each of them.
 *
 * With `LIST_SCENARIOS` in the environment nothing is run; each scenario is printed as a line of JSON instead, for
 * `compatibility-table.ts`: what the table says comes from the same calls that make the tests.
 */
export function describeScenarios(topic: string, file: string, define: (define: Define) => void): void {
  const records: ScenarioRecord[] = [];
  const cases: Case[] = [];
  const place = { topic, file: path.relative(path.join(import.meta.dirname, '../..'), file) };
  define({
    scenario(title, { clients = allVersions, except = {}, notOfficial }, run) {
      const chosen = clients.filter((version) => except[version] === undefined);
      records.push({ ...place, title, clients: chosen, except, pairs: [] });
      for (const version of chosen.filter(isWanted)) {
        cases.push({ name: `Anki ${version}: ${title}`, needs: [version], notOfficial, run });
      }
    },
    mixed(title, pairs, run) {
      records.push({ ...place, title, clients: [], except: {}, pairs });
      for (const [version, other] of pairs) {
        if (testLength === 'quick' || !(isWanted(version) && isWanted(other))) continue;
        const both = (world: World) => run(world, other);
        cases.push({
          name: `Anki ${version} and ${other}: ${title}`,
          needs: [version, other],
          notOfficial: undefined,
          run: both,
        });
      }
    },
  });
  if (process.env.LIST_SCENARIOS !== undefined) {
    for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
  } else runCases(topic, cases);
}

function isWanted(version: ClientVersion): boolean {
  const only = process.env.TEST_CLIENTS; // For work on one client: versions, separated by commas.
  if (only !== undefined && only !== '') return only.split(',').includes(version);
  return testLength !== 'quick' || version === newestClient;
}

function runCases(topic: string, cases: readonly Case[]): void {
  if (cases.length === 0) return; // Nothing here is for the clients that are wanted.
  describe(topic, { concurrency: scenariosAtOnceMax }, () => {
    let server: Server | undefined;
    before(async () => {
      await preparePythonEnvs([...new Set(cases.flatMap((one) => one.needs))]);
      server = await startServer({ users: cases.length });
    });
    after(() => server?.[Symbol.asyncDispose]());
    for (const { name, needs, notOfficial, run } of cases) {
      test(name, { timeout: scenarioMsMax }, async (context) => {
        if (notOfficial !== undefined && serverUnderTest === 'official') {
          return context.skip(`the official server does not manage: ${notOfficial}`);
        }
        for (const version of needs) {
          const client = await preparePythonEnv(version);
          if (client.kind === 'missing') return context.skip(`Anki ${version} ${client.reason}`);
        }
        if (server === undefined) throw new Error('the server was started before');
        const [version = newestClient] = needs;
        await using cleanup = new AsyncDisposableStack();
        const worlds: World[] = [];
        try {
          await run(makeWorld(version, server, cleanup, worlds));
        } catch (error) {
          for (const world of worlds) context.diagnostic(logOf(world));
          throw error;
        }
      });
    }
  });
}

/** What the server said about the account of a scenario. */
function logOf({ server, user }: World): string {
  const lines = server.log.split('\n').filter((line) => line.includes(user));
  return `${server.kind} server about ${user}:\n${lines.slice(-logLinesShown).join('\n')}`;
}

/** `worlds` gets this one and those of servers that the scenario starts. */
function makeWorld(version: ClientVersion, server: Server, cleanup: AsyncDisposableStack, worlds: World[]): World {
  const user = server.unusedUser();
  const heavyVersions: readonly ClientVersion[] = [newestClient, oldestModernClient];
  const world: World = {
    version,
    server,
    user,
    heavy: testLength === 'long' || heavyVersions.includes(version),
    async device(name, other = version) {
      return cleanup.use(await server.device({ version: other, user, name }));
    },
    async proxy() {
      return cleanup.use(await CuttingProxy.start(server));
    },
    async ownServer(options = {}) {
      return makeWorld(version, cleanup.use(await startServer(options)), cleanup, worlds);
    },
  };
  worlds.push(world);
  return world;
}

function parseLength(text: string | undefined): TestLength {
  if (text === undefined || text === '') return 'normal';
  if (text === 'quick' || text === 'normal' || text === 'long') return text;
  throw new Error(`TEST_LENGTH is quick, normal or long, not "${text}"`);
}
