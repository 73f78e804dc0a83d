import { messageOf } from '../errors.ts';
import { KiB } from '../limits.ts';
import { type Environment, quoted } from './setting.ts';

/** Variables that hold a secret: each can come from a file in its place. */
const SECRET = /^SYNC_(?:USER\d+|\w+_TOKEN)$/;
const fileSuffix = '_FILE';
/** One secret, bytes. */
const secretBytesMax = 64 * KiB;

/** Access to files of secrets; another one in tests. Both throw when they cannot. */
export interface SecretFiles {
  read(file: string): Uint8Array;
  /** Names of the files in a folder. */
  list(folder: string): readonly string[];
}

/** For callers whose variables are all there is. */
export const noSecretFiles: SecretFiles = {
  read: () => {
    throw new Error('there are no files');
  },
  list: () => [],
};

/** Where one value comes from. */
interface Source {
  /** What to name in a message. */
  readonly name: string;
  read(): string | undefined;
}

/**
 * The environment with every secret in its place: the content of the file that `SYNC_USER1_FILE` and the like name, and
 * credentials of systemd, which are files with the name of the variable in `CREDENTIALS_DIRECTORY`. A secret that comes
 * from two places is a problem, as is a file that cannot be read. No problem quotes a secret.
 */
export function withSecrets(env: Environment, files: SecretFiles, problems: string[]): Environment {
  const sources = new Map<string, Source[]>();
  const add = (variable: string, source: Source): void => {
    sources.set(variable, [...(sources.get(variable) ?? []), source]);
  };
  const resolved: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(env)) {
    const variable = name.endsWith(fileSuffix) ? name.slice(0, -fileSuffix.length) : '';
    if (SECRET.test(variable)) add(variable, fileSource(name, value ?? '', files, problems));
    else if (SECRET.test(name)) add(name, { name, read: () => value });
    else resolved[name] = value;
  }
  for (const [variable, source] of credentials(env['CREDENTIALS_DIRECTORY'], files, problems)) add(variable, source);
  for (const [variable, [source, other]] of sources) {
    if (source === undefined) continue;
    const value = other === undefined ? source.read() : undefined;
    if (value !== undefined) resolved[variable] = value;
    if (other === undefined) continue;
    const names = [source.name, other.name].sort().join(' and ');
    problems.push(`${names} both set ${variable}. Remove one of them.`);
  }
  return resolved;
}

function credentials(
  folder: string | undefined,
  files: SecretFiles,
  problems: string[],
): (readonly [string, Source])[] {
  if (folder === undefined || folder === '') return [];
  try {
    const names = files.list(folder).filter((name) => SECRET.test(name));
    return names.map((name) => [
      name,
      fileSource(`${name} in CREDENTIALS_DIRECTORY`, `${folder}/${name}`, files, problems),
    ]);
  } catch (error) {
    problems.push(`SYNC_USER1: cannot look for credentials in ${quoted(folder)}: ${messageOf(error)}.`);
    return [];
  }
}

function fileSource(name: string, file: string, files: SecretFiles, problems: string[]): Source {
  return {
    name,
    read: () => {
      try {
        return secretIn(files.read(file));
      } catch (error) {
        problems.push(
          `${name}: cannot use ${quoted(file)}: ${messageOf(error)}. Put the secret there as one line, readable for this account.`,
        );
        return undefined;
      }
    },
  };
}

/** The one line of a file. Editors end it, on some systems with two characters, and may begin with a mark. */
function secretIn(bytes: Uint8Array): string {
  if (bytes.byteLength > secretBytesMax) throw new Error(`it is longer than ${secretBytesMax} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    throw new Error('it is not valid UTF-8');
  }
  if (text === '') throw new Error('it is empty');
  if (/[\r\n]/.test(text)) throw new Error('it has more than one line');
  return text;
}
