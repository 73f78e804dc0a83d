import { hostKeyOf, type UserSetting } from '../accounts/accounts.ts';
import type { StoredPassword } from '../accounts/password.ts';
import { parsePasswordHash } from '../accounts/phc.ts';
import { problemOfUserName } from '../user-name.ts';
import { type Environment, isYes, quoted, type Setting } from './setting.ts';

export const USER_SETTINGS: readonly Setting[] = [
  {
    name: 'SYNC_USER1, SYNC_USER2, …',
    byDefault: 'none',
    meaning: 'One user each, as name:password. The name ends at the first colon. Any numbers; gaps are fine.',
  },
  {
    name: 'SYNC_USER1_FILE, SYNC_USER2_FILE, …',
    byDefault: 'none',
    meaning: 'A file that holds the value of the variable without _FILE, in one line. Any secret can be given so.',
  },
  {
    name: 'PASSWORDS_HASHED',
    byDefault: 'no',
    meaning:
      'The passwords above are PHC hashes (pbkdf2-sha256, pbkdf2-sha512, argon2id). Set to anything but 0, false, no or off.',
  },
  {
    name: 'SYNC_DEVICE_KEYS',
    byDefault: 'off',
    meaning:
      'on: each device of the users above gets a key of its own, which can be revoked. All devices log in again, and again when they go back to the official server.',
  },
];

/** The users that the variables name; all names differ. None of the problems quotes a password. */
export function readUsers(
  env: Environment,
  platform: NodeJS.Platform,
  problems: string[],
  warnings: string[],
): UserSetting[] {
  const variables = Object.keys(env).filter((name) => /^SYNC_USER\d+$/.test(name));
  variables.sort((a, b) => Number(a.slice('SYNC_USER'.length)) - Number(b.slice('SYNC_USER'.length)));
  for (const name of Object.keys(env)) {
    if (/^SYNC_?USER/i.test(name) && !variables.includes(name)) {
      warnings.push(`${name} is not read. Did you mean SYNC_USER1?`);
    }
  }
  const areHashed = isYes(env['PASSWORDS_HASHED']);
  const users = new Map<string, UserSetting>();
  for (const variable of variables) {
    const user = readUser({ variable, value: env[variable] ?? '', areHashed, platform }, problems);
    if (user === undefined) continue;
    const namesake = users.get(user.name);
    if (namesake === undefined) users.set(user.name, user);
    else problems.push(`${variable} has the same name as ${namesake.variable}. Remove one or use another name.`);
    if (user.password.kind === 'hashed' && user.password.hash.kind === 'unusable') {
      warnings.push(`${variable}: this password can never match, because ${user.password.hash.why}.`);
    }
  }
  return [...users.values()];
}

/** Does each device of an environment user get a key of its own? */
export function readDeviceKeys(text: string | undefined, problems: string[]): boolean {
  if (text === undefined || /^(?:0|false|no|off)$/i.test(text)) return false;
  if (/^(?:1|true|yes|on)$/i.test(text)) return true;
  problems.push(`SYNC_DEVICE_KEYS: ${quoted(text)} is neither on nor off. Use one of them.`);
  return false;
}

interface UserVariable {
  readonly variable: string;
  readonly value: string;
  readonly areHashed: boolean;
  readonly platform: NodeJS.Platform;
}

// The value holds a password: no message may quote it.
function readUser({ variable, value, areHashed, platform }: UserVariable, problems: string[]): UserSetting | undefined {
  const colon = value.indexOf(':');
  if (colon === -1) {
    problems.push(`${variable} has no colon. Write name and password with a colon between them, as in ann:secret.`);
    return undefined;
  }
  const name = value.slice(0, colon);
  const problem = problemOfUserName(name, platform);
  if (problem !== undefined) {
    problems.push(`${variable}: the name ${quoted(name)} ${problem}. Use another name.`);
    return undefined;
  }
  if (value.includes('\ufffd')) {
    problems.push(`${variable} is not valid UTF-8. Set it again from a UTF-8 terminal or file.`);
    return undefined;
  }
  const password = readPassword(value.slice(colon + 1), areHashed);
  if (password === undefined) {
    problems.push(
      `${variable}: PASSWORDS_HASHED is set, but the text after the first colon is not a PHC hash. ` +
        'Put a hash there ($pbkdf2-sha256$i=600000,l=32$…), in single quotes in a shell, or unset PASSWORDS_HASHED.',
    );
    return undefined;
  }
  return { variable, name, password, hostKey: hostKeyOf(value) };
}

function readPassword(text: string, isHashed: boolean): StoredPassword | undefined {
  if (!isHashed) return { kind: 'plain', text };
  const hash = parsePasswordHash(text);
  return hash === undefined ? undefined : { kind: 'hashed', hash };
}
