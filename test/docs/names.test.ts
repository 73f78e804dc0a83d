import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SETTINGS } from '../../src/config/config.ts';
import { commandsIn, problemOfCommand } from './commands-in-pages.ts';
import { codeSpans, everywhere, ROOT, read } from './pages.ts';
import { variablesIn } from './variables-in-pages.ts';

const SCRIPTS: readonly string[] = Object.keys(JSON.parse(read('package.json')).scripts);

/** Variables that are not the server's: those of clients, one of the official server that is read if need be, and of systemd. */
const FOREIGN_VARIABLES = [
  'SYNC_ENDPOINT',
  'SYNC_ENDPOINT_MEDIA',
  'RUST_LOG',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
];

test('every variable that is read is a setting, and every variable in a page exists', () => {
  const settings = new Set(SETTINGS.flatMap(({ name }) => variablesIn(name)));
  const readByProgram = globSync('src/config/*.ts', { cwd: ROOT })
    .filter((file) => !file.endsWith('.test.ts'))
    .flatMap((file) => [...read(file).matchAll(/env\['((?:SYNC|MAX|PASSWORDS|RUST)_[A-Z_]+)'\]/g)])
    .map(([, name = '']) => name);
  assert.ok(readByProgram.length > 10);
  const unknown = readByProgram.filter((name) => !settings.has(name) && !FOREIGN_VARIABLES.includes(name));
  assert.deepEqual(unknown, []);
  const readByTests = variablesIn(globSync('test/**/*.ts', { cwd: ROOT }).map(read).join('\n'));
  const known = new Set([...settings, ...FOREIGN_VARIABLES, ...readByTests.filter((name) => name.startsWith('TEST_'))]);
  // Any secret can come from a file.
  for (const name of [...known]) if (/^SYNC_(?:USER1|\w+_TOKEN)$/.test(name)) known.add(`${name}_FILE`);
  assert.deepEqual(
    everywhere(variablesIn, (name) => !known.has(name)),
    [],
  );
});

test('every file of the project that a page names exists', () => {
  const namedFiles = (text: string) =>
    codeSpans(text).filter((code) =>
      /^(?:src|test|bench|bin|docs|packaging|proxies|scripts|\.ci)\/[\w./-]*$/.test(code),
    );
  assert.deepEqual(
    everywhere(namedFiles, (file) => !existsSync(path.join(ROOT, file))),
    [],
  );
});

test('every npm command in a page exists', () => {
  const commands = (text: string) =>
    [...text.matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w:-]+)/g)].map(([, script = '']) => script);
  assert.deepEqual(
    everywhere(commands, (script) => !SCRIPTS.includes(script)),
    [],
  );
});

test('every command of the server in a page exists and takes what it is given', () => {
  const problems = (text: string) =>
    commandsIn(text).flatMap((command) => {
      const problem = problemOfCommand(command);
      return problem === undefined ? [] : [`${command.join(' ')}: ${problem}`];
    });
  assert.deepEqual(
    everywhere(problems, () => true),
    [],
  );
});

test('a command that does not exist, and one with a wrong option, is found', () => {
  const text = [
    '`anki-sync-server user add ann` and `anki-sync-server usr add ann`',
    '```sh',
    'sudo -u anki env SYNC_BASE=/srv anki-sync-server verify --mend && systemctl status anki-sync-server -n 5',
    '```',
  ].join('\n');
  assert.deepEqual(
    commandsIn(text).map((command) => problemOfCommand(command)),
    [undefined, 'there is no such command', 'there is no option --mend'],
  );
});
