import { execFileSync } from 'node:child_process';

/** The values of one setting of a unit, in order; empty ones too. */
export function valuesOf(unit: string, name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

/** The system calls that a unit's `SystemCallFilter=` lines leave to it, by the lists of the systemd of this machine. */
export function allowedCalls(unit: string): ReadonlySet<string> {
  const allowed = new Set<string>();
  for (const value of valuesOf(unit, 'SystemCallFilter')) {
    const isDenied = value.startsWith('~');
    const names = value.replace('~', '').split(/\s+/);
    const calls = names.flatMap((name) => (name.startsWith('@') ? callsOfGroup(name) : [name]));
    for (const call of calls) isDenied ? allowed.delete(call) : allowed.add(call);
  }
  return allowed;
}

function callsOfGroup(group: string): string[] {
  const text = execFileSync('systemd-analyze', ['syscall-filter', '--no-pager', group], { encoding: 'utf8' });
  const entries = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return entries.flatMap((entry) => (entry.startsWith('@') ? callsOfGroup(entry) : [entry]));
}
