import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { childEnvironment } from '../support/environment.ts';
import { DataFolder, owner, ownerDoes, serverFor, tryLogin } from './owner.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const PAGE = readFileSync(path.join(ROOT, 'docs/people.md'), 'utf8');

/** The lines of all blocks for a shell, and the commands of the tables, in the order of the page. */
const LINES = [...PAGE.matchAll(/^```sh\n(.*?)^```$|^\| [^\n]* \| `(anki-sync-server [^`]*)` \|$/gms)].flatMap(
  ([, block, command]) => (block ?? command ?? '').split('\n').filter((line) => line !== ''),
);

/** Runs a line as a person would who has the program on the path; passwords are typed into standard input. */
async function runLine(line: string, folder: DataFolder, bin: string): Promise<{ code: number | null; told: string }> {
  const child = spawn('/bin/sh', ['-c', line], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment({ SYNC_BASE: folder.base, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}` }),
  });
  child.stdin.on('error', () => {});
  child.stdin.end('typed at the terminal\n');
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, told: stdout + stderr };
}

test('every command of the page about people does what the page says', {
  skip: process.platform === 'win32',
}, async () => {
  using folder = new DataFolder();
  const bin = path.join(folder.base, '.server/bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(path.join(ROOT, 'bin/anki-sync-server'), path.join(bin, 'anki-sync-server'));
  await ownerDoes(folder, ['user', 'add', 'first'], { input: 'pw' });
  await using server = await serverFor(folder);
  assert.ok(LINES.length >= 10, LINES.join('\n'));
  for (const given of LINES) {
    if (given.includes('device revoke ann')) {
      // The page shows the end of ann before it comes to her devices.
      await owner(folder, ['user', 'add', 'ann'], { input: 'pw' });
      await tryLogin(server, 'ann', 'pw');
    }
    const [, device = ''] = /^ +(\d+) /m.exec(await ownerDoes(folder, ['device', 'list'])) ?? [];
    const line = given.replace(/revoke ann 3$/, `revoke ann ${device}`);
    const { code, told } = await runLine(line, folder, bin);
    assert.equal(code, 0, `${line}\n${told}`);
  }
  assert.match(await ownerDoes(folder, ['user', 'list']), /^eve +enabled/m);
  assert.doesNotMatch(await ownerDoes(folder, ['user', 'list']), /^(?:bob|robert) /m);
});
