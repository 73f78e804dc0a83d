import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../scripts/build/project.ts';
import { SETTINGS } from '../../src/config/config.ts';

// The files for macOS and Windows cannot be tried here. They are read as strictly as can be had.

const read = (file: string): string => readFileSync(path.join(ROOT, 'packaging', file), 'utf8');
const KNOWN = SETTINGS.flatMap(({ name }) => name.split(', ')).map((name) => name.replace(/\d+/, 'n'));

/** Variables of ours in a text, numbers as `n`. */
function variablesIn(text: string): string[] {
  return [...text.matchAll(/\bSYNC_[A-Z0-9_]+\b/g)].map(([name]) => name.replace(/(?<=SYNC_USER)\d+/, 'n'));
}

test('the launch file for macOS is a property list that starts the server and keeps it running', () => {
  const script = `import json, plistlib, sys\nprint(json.dumps(plistlib.load(open(sys.argv[1], "rb"))))`;
  const file = path.join(ROOT, 'packaging/launchd/local.anki-sync-server.plist');
  const plist: unknown = JSON.parse(execFileSync('python3', ['-c', script, file], { encoding: 'utf8' }));
  assert.ok(typeof plist === 'object' && plist !== null);
  assert.deepEqual(Object.keys(plist).sort(), [
    'EnvironmentVariables',
    'ExitTimeOut',
    'KeepAlive',
    'Label',
    'ProgramArguments',
    'RunAtLoad',
    'StandardErrorPath',
    'StandardOutPath',
    'Umask',
  ]);
  assert.ok('Label' in plist && `${plist.Label}.plist` === path.basename(file));
  assert.ok('Umask' in plist && plist.Umask === 0o077);
  assert.ok('ProgramArguments' in plist && Array.isArray(plist.ProgramArguments));
  assert.equal(plist.ProgramArguments.at(-1), 'anki-sync-server');
});

test('the task for Windows is well-formed, and starts the file beside it, which ends its lines as Windows does', () => {
  const script = `import sys, xml.dom.minidom\nd = xml.dom.minidom.parse(sys.argv[1])\nprint(d.getElementsByTagName("Arguments")[0].firstChild.data)`;
  const file = path.join(ROOT, 'packaging/windows/anki-sync-server.task.xml');
  const command = execFileSync('python3', ['-c', script, file], { encoding: 'utf8' }).trim();
  assert.match(command, /\\anki-sync-server\.cmd"$/);
  const lines = read('windows/anki-sync-server.cmd').split('\n').slice(0, -1);
  assert.ok(lines.length > 5 && lines.every((line) => line.endsWith('\r')));
});

test('the files for services set only what the server reads, and no password', () => {
  for (const file of [
    'launchd/local.anki-sync-server.plist',
    'windows/anki-sync-server.cmd',
    'systemd/anki-sync-server.service',
    'systemd/settings',
  ]) {
    const text = read(file);
    const unknown = variablesIn(text).filter((name) => !KNOWN.includes(name));
    assert.deepEqual(unknown, [], file);
    assert.doesNotMatch(text, /SYNC_USER\d+=\w+:/);
  }
});
