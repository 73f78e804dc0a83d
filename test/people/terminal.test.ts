import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { childEnvironment } from '../support/environment.ts';
import { DataFolder, ownerDoes, serverFor, tryLogin } from './owner.ts';

const ROOT = path.join(import.meta.dirname, '../..');

/** Runs a command in a terminal, types each line when its prompt is there, and prints what the terminal showed. */
const TYPIST = `
import json, os, pty, sys
prompts, *command = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
shown = b''
for prompt, line in prompts:
    while prompt.encode() not in shown:
        shown += os.read(terminal, 1024)
    os.write(terminal, line.encode())
    before, shown = shown, b''
    sys.stdout.buffer.write(before)
try:
    while piece := os.read(terminal, 1024):
        shown += piece
except OSError:
    pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

interface Typed {
  readonly shown: string;
  readonly code: number | null;
}

function atTerminal(
  folder: DataFolder,
  args: readonly string[],
  lines: readonly (readonly [prompt: string, line: string])[],
): Promise<Typed> {
  const command = JSON.stringify([lines, process.execPath, 'src/main.ts', ...args]);
  const child = spawn('python3', ['-c', TYPIST, command], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: childEnvironment({ SYNC_BASE: folder.base, TERM: 'xterm' }),
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ shown, code }));
  });
}

const skip = process.platform === 'win32' ? 'there are no such terminals' : false;

test('at a terminal the password is asked for twice, and not shown', { skip }, async () => {
  using folder = new DataFolder();
  const { shown, code } = await atTerminal(
    folder,
    ['user', 'add', 'ann'],
    [
      ['New password:', 'hünter2\r'],
      ['again:', 'hünter2\r'],
    ],
  );
  assert.match(shown, /New password:[\s\S]*The same again:[\s\S]*Added ann\./);
  assert.doesNotMatch(shown, /nter2/);
  assert.equal(code, 0);
  await using server = await serverFor(folder);
  assert.equal((await tryLogin(server, 'ann', 'hünter2')).status, 200);
});

test('two different passwords, or none, change nothing', { skip }, async () => {
  using folder = new DataFolder();
  await ownerDoes(folder, ['user', 'add', 'bob'], { input: 'pw' });
  const cases = [
    [
      ['New password:', 'one\r'],
      ['again:', 'other\r'],
    ],
    [['New password:', '\r']],
    [['New password:', '\u0004']],
    [['New password:', 'half\u0003']],
  ] as const;
  for (const lines of cases) {
    const { shown, code } = await atTerminal(folder, ['user', 'add', 'ann'], lines);
    assert.match(shown, /Nothing was changed|The password is empty/);
    assert.equal(code, 1, JSON.stringify(lines));
  }
  assert.doesNotMatch(await ownerDoes(folder, ['user', 'list']), /ann/);
});
