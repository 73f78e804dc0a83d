/**
 * Writes `docs/compatibility.md` from the scenarios that the tests in `test/real-clients` define.
 *
 *     node test/support/compatibility-table.ts [--write]
 *
 * Without `--write` the page is printed. `compatibility-table.test.ts` fails when the page in `docs` is another one.
 */
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { RECORDS } from '../written-record/records.ts';
import { CLIENT_RELEASES, type ClientVersion } from './clients.ts';
import type { ScenarioRecord } from './scenario.ts';

const run = promisify(execFile);
const projectFolder = path.join(import.meta.dirname, '../..');

export const compatibilityPage = path.join(projectFolder, 'docs/compatibility.md');

const introduction = `# Which clients are known to work

This page is made from the tests by \`node test/support/compatibility-table.ts --write\`, and a test compares the two: it
claims what is run and nothing else. \`npm test\` runs every scenario below with every client that has a mark in its row.

A client here is the real library of that Anki release, as PyPI (2.1.15: Debian) has it, in a process of its own: it opens
a collection, changes it, studies with its own scheduler, and syncs over HTTP. After a scenario the devices are compared
fact by fact, with each other and mostly with a third device that downloads everything and finds nothing in Check Database.

AnkiDroid and AnkiMobile cannot be run here. Their versions that speak protocol 11 contain the same sync code as the desktop
releases of their time. What older ones do is known from records only: the last table.
`;

if (import.meta.main) {
  const page = await makeCompatibilityPage();
  if (process.argv.includes('--write')) await writeFile(compatibilityPage, page);
  else process.stdout.write(page);
}

/** The page as the tests of this moment make it. */
export async function makeCompatibilityPage(): Promise<string> {
  const files = globSync('test/real-clients/*.test.ts', { cwd: projectFolder }).sort();
  const records = (await Promise.all(files.map(listScenarios))).flat();
  const perClient = records.filter((record) => record.pairs.length === 0);
  const mixed = records.filter((record) => record.pairs.length > 0);
  const topics = [...new Set(perClient.map((record) => record.topic))];
  return [
    introduction,
    releasesSection(),
    ...topics.map((topic) => topicSection(perClient.filter((record) => record.topic === topic))),
    mixedSection(mixed),
    recordsSection(),
  ].join('\n');
}

/** Runs a test file in the form in which it only says what it would run. */
async function listScenarios(file: string): Promise<readonly ScenarioRecord[]> {
  const env = { ...process.env, LIST_SCENARIOS: '1' };
  const { stdout } = await run(process.execPath, [file], { cwd: projectFolder, env });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as ScenarioRecord);
}

function releasesSection(): string {
  const rows = CLIENT_RELEASES.map(({ version, protocol, source }) => {
    const dress = protocol === 11 ? 'header and zstd, one address' : 'multipart and gzip, two addresses';
    return `| ${version} | ${protocol} | ${dress} | ${source === 'pypi' ? 'PyPI' : 'Debian 11'} |`;
  });
  return `## Releases\n\n| Anki | protocol | how it sends | from |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

function topicSection(records: readonly ScenarioRecord[]): string {
  const [first] = records;
  if (first === undefined) return '';
  const versions = CLIENT_RELEASES.map((release) => release.version);
  const reasons: string[] = [];
  const rows = records.map((record) => {
    const marks = versions.map((version) => markOf(record, version, reasons));
    return `| ${record.title} | ${marks.join(' | ')} |`;
  });
  const header = `| | ${versions.join(' | ')} |\n|${' --- |'.repeat(versions.length + 1)}`;
  const notes = reasons.map((reason, n) => `\n${n + 1}. ${reason}`).join('');
  return `## ${first.topic}\n\n\`${first.file}\`\n\n${header}\n${rows.join('\n')}\n${notes === '' ? '' : `${notes}\n`}`;
}

/** A mark, nothing, or the number of the reason why not. */
function markOf(record: ScenarioRecord, version: ClientVersion, reasons: string[]): string {
  if (record.clients.includes(version)) return '✓';
  const reason = record.except[version];
  if (reason === undefined) return '';
  if (!reasons.includes(reason)) reasons.push(reason);
  return `– ${reasons.indexOf(reason) + 1}`;
}

function mixedSection(records: readonly ScenarioRecord[]): string {
  const file = records[0]?.file ?? '';
  const rows = records.map((record) => {
    const pairs = record.pairs.map(([one, other]) => `${one} with ${other}`).join(', ');
    return `| ${record.title} | ${pairs} |`;
  });
  return `## Old and new releases on one account\n\n\`${file}\`\n\n| | pairs |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function recordsSection(): string {
  const rows = RECORDS.map(({ client, title, source }) => `| ${client} | ${title} | ${source} |`);
  const introduction = `\`test/written-record/written-record.test.ts\` sends what these clients send, written down from their public sources.`;
  const header = '| client | | source |\n| --- | --- | --- |';
  return `## Clients that cannot be run here\n\n${introduction}\n\n${header}\n${rows.join('\n')}\n`;
}
