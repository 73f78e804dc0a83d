import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { uploadFile } from '../safety/script.ts';
import { SyncDevice } from '../safety/sync-device.ts';
import { freePort } from '../support/free-port.ts';
import { startServer } from '../support/server.ts';
import { lineOf } from './log-reader.ts';
import { preparePromtool } from './promtool.ts';

const folder = path.join(import.meta.dirname, '../../monitoring');
const readyMsMax = 30_000;

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

/** What is used of the answers of Prometheus. */
interface Reply {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly unknown[];
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
}

/** Panels that are empty as long as nothing goes wrong, or that need more than a few seconds of history. */
const EMPTY_WHEN_ALL_IS_WELL = ['Syncs that were not done', 'Refused and failed requests', 'Work on whole files'];

test('a real Prometheus reads the metrics, and can draw every panel and judge every alert', async (context) => {
  const tools = await preparePromtool();
  if (tools.kind === 'missing') return context.skip(tools.reason);
  await using server = await startServer({
    kind: 'ours',
    users: ['ann'],
    passwords: 'plain',
    env: { SYNC_METRICS_PORT: '0' },
  });
  const target = /addr="([^"]+)"/.exec(await lineOf(server, /Metrics can be read/))?.[1] ?? '';
  await using prometheus = await Prometheus.start(tools.prometheus, target);
  const file = await uploadFile('fresh-empty.anki2');
  const device = new SyncDevice(server.rawClient());
  await device.upload(file.bytes, file.state);
  await device.sync({ noteIds: [1_500_000_000_001] });
  await lineOf(server, /Made a backup/);
  await prometheus.knows('anki_sync_newest_backup_timestamp_seconds');
  const dashboard: { readonly panels: readonly Panel[] } = JSON.parse(
    readFileSync(path.join(folder, 'grafana-dashboard.json'), 'utf8'),
  );
  const empty: string[] = [];
  for (const { title, targets = [] } of dashboard.panels) {
    const answers = await Promise.all(
      targets.map(({ expr }) => prometheus.query(expr.replaceAll(/\$(?:job|instance)/g, '.*'))),
    );
    if (targets.length > 0 && answers.every((answer) => answer.length === 0)) empty.push(title);
  }
  assert.deepEqual(
    empty.filter((title) => !EMPTY_WHEN_ALL_IS_WELL.includes(title)),
    [],
  );
  assert.deepEqual(await prometheus.alerts(), { judged: 15, unhealthy: [], firing: [] });
});

/** A Prometheus that asks one server every second. */
class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #home: string;
  readonly #url: string;

  static async start(program: string, target: string): Promise<Prometheus> {
    const home = mkdtempSync(path.join(tmpdir(), 'prometheus-'));
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [path.join(folder, 'alerts.yml')],
      scrape_configs: [{ job_name: 'anki-sync', static_configs: [{ targets: [target] }] }],
    };
    writeFileSync(path.join(home, 'prometheus.yml'), JSON.stringify(config)); // JSON is YAML.
    const port = await freePort();
    const options = [`--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`];
    const child = spawn(program, [...options, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], {
      stdio: 'inherit',
    });
    const prometheus = new Prometheus(child, home, `http://127.0.0.1:${port}`);
    await prometheus.knows('up == 1');
    return prometheus;
  }

  private constructor(child: ChildProcess, home: string, url: string) {
    this.#child = child;
    this.#home = home;
    this.#url = url;
  }

  /** The series of an expression. Throws what Prometheus says against it. */
  async query(expr: string): Promise<readonly unknown[]> {
    const answer = await this.#ask(`query?query=${encodeURIComponent(expr)}`);
    assert.equal(answer.status, 'success', `${expr}: ${answer.error}`);
    return answer.data.result;
  }

  /** Waits until an expression has a series. */
  async knows(expr: string): Promise<void> {
    for (const endsMs = Date.now() + readyMsMax; ; await sleep(200)) {
      const found = await this.query(expr).catch(() => []);
      if (found.length > 0) return;
      assert.ok(Date.now() < endsMs && this.#child.exitCode === null, `Prometheus does not know ${expr}`);
    }
  }

  async alerts(): Promise<{ judged: number; unhealthy: string[]; firing: string[] }> {
    const { data } = await this.#ask('rules');
    const rules = data.groups.flatMap((group) => group.rules);
    const namesOf = (found: typeof rules) => found.map(({ name }) => name);
    return {
      judged: rules.length,
      unhealthy: namesOf(rules.filter(({ health }) => health !== 'ok')),
      firing: namesOf(rules.filter(({ state }) => state === 'firing')),
    };
  }

  async #ask(what: string): Promise<Reply> {
    return (await fetch(`${this.#url}/api/v1/${what}`)).json() as Promise<Reply>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#home, { recursive: true, force: true });
  }
}
