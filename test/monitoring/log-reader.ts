import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../support/server.ts';

const lineMsMax = 10_000;

/** Lines about syncs, whole. */
export function summariesOf(log: string): string[] {
  return log.split('\n').filter((line) => /^\S+ (?:INFO|WARN) +[^ =]+: \S/.test(line));
}

/** What lines about syncs say to people: without time and fields, and with `N` for the seconds. */
export function summariesIn(log: string): string[] {
  return summariesOf(log).map((line) =>
    line
      .replace(/^\S+ \w+ +/, '')
      .replace(/(?: \w+="(?:[^"\\]|\\.)*")+$/, '')
      .replace(/(?:under 0\.1|\d+\.\d) s\b/, 'N s'),
  );
}

/** Waits until a log has a line that matches; lines follow the answers. */
export async function lineOf(server: Pick<Server, 'log'>, pattern: RegExp): Promise<string> {
  const endsMs = Date.now() + lineMsMax;
  for (;;) {
    const line = server.log.split('\n').find((each) => pattern.test(each));
    if (line !== undefined) return line;
    assert.ok(Date.now() < endsMs, `the log has no line with ${pattern}:\n${server.log}`);
    await sleep(20);
  }
}

/** All entries of a log in JSON; every line is one. */
export function entriesIn(log: string): Readonly<Record<string, unknown>>[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
