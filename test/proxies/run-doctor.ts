import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { Finding, Section } from '../../src/cli/doctor/finding.ts';
import { childEnvironment } from '../support/environment.ts';

/** What the doctor found, told by `--json`. */
export interface DoctorReport {
  readonly exitCode: number | null;
  readonly worst: string;
  readonly findings: readonly Finding[];
  /** Everything, for messages of failed tests. */
  readonly text: string;
}

const projectFolder = path.join(import.meta.dirname, '../..');

/** Runs `anki-sync-server doctor` with these arguments and variables as somebody at a terminal would. */
export async function runDoctor(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<DoctorReport> {
  const child = spawn(path.join(projectFolder, 'bin/anki-sync-server'), ['doctor', ...args, '--json'], {
    cwd: projectFolder,
    env: childEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (output === '') throw new Error(`the doctor said nothing and ended with ${exitCode}: ${errors}`);
  const { worst, sections } = JSON.parse(output) as { worst: string; sections: readonly Section[] }; // As `report.ts` writes it.
  return { exitCode, worst, findings: sections.flatMap(({ findings }) => findings), text: output };
}
