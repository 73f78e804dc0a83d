import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Certificate } from '../support/certificates.ts';
import { type ProxyName, prepareProxy } from './debian-proxies.ts';
import { RunningProxy } from './running-proxy.ts';

/** Where the server is for clients: at the root of its name, or below `/anki/`. */
export type Place = 'root' | 'subpath';
export const PLACES: readonly Place[] = ['root', 'subpath'];

const EXTENSIONS = { nginx: 'conf', apache: 'conf', haproxy: 'cfg', caddy: 'Caddyfile' } as const;

export const recipesFolder = path.join(import.meta.dirname, '../../proxies');

/** The text of a shipped file. */
export function readRecipe(name: ProxyName, place: Place): string {
  return readFileSync(path.join(recipesFolder, name, `${place}.${EXTENSIONS[name]}`), 'utf8');
}

/** Starts a proxy with a shipped file. Throws when the proxy cannot be had: ask `prepareProxy` first. */
export async function startRecipe(
  name: ProxyName,
  place: Place,
  options: {
    /** `http://127.0.0.1:PORT/` */
    readonly serverUrl: string;
    readonly chain: readonly Certificate[];
    /** What somebody has changed in the shipped file. */
    readonly change?: (recipe: string) => string;
  },
): Promise<RunningProxy> {
  const program = await prepareProxy(name);
  if (program.kind === 'missing') throw new Error(`${name}: ${program.reason}`);
  const { serverUrl, chain, change = (recipe) => recipe } = options;
  const upstreamPort = Number(new URL(serverUrl).port);
  const shipped = readRecipe(name, place);
  const recipe = change(shipped);
  if (options.change !== undefined && recipe === shipped) throw new Error(`the change does not fit ${name}/${place}`);
  return RunningProxy.start({ name, program, recipe, upstreamPort, chain });
}
