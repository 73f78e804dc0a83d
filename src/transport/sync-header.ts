import { isJsonObject, type JsonObject, type JsonValue, memberOf, parseJson } from '../collection/format/json.ts';
import { SyncError } from '../errors.ts';
import { syncHeaderCharsMax } from './http-limits.ts';

/** Name of the header that tells sync version 11 from the older ones, and says who is there. */
export const syncHeaderName = 'anki-sync';

/** The header of a modern request. All four are there in every request, the last three may be empty. */
export interface SyncHeader {
  /** `v`, 8 to 11. */
  readonly syncVersion: number;
  /** `k`. Never logged. */
  readonly hostKey: string;
  /** `c`, such as `26.09.3,abcdef12,linux`. */
  readonly clientVersion: string;
  /** `s`. */
  readonly sessionKey: string;
}

const syncVersionMin = 8;
const syncVersionMax = 11;

/** Reads the header. Throws `malformedRequest` for all that the official server refuses. */
export function parseSyncHeader(text: string): SyncHeader {
  if (text.length > syncHeaderCharsMax) throw malformed(`is longer than ${syncHeaderCharsMax} characters`);
  if (!/^[\t\x20-\x7e]*$/.test(text)) throw malformed('is not ASCII');
  const usual = usualForm.exec(text);
  if (usual !== null) {
    const [, version, hostKey = '', clientVersion = '', sessionKey = ''] = usual;
    return { syncVersion: Number(version), hostKey, clientVersion, sessionKey };
  }
  return readAnyForm(text);
}

/** What all clients send: no blanks, this order, nothing escaped. It says the same as if it was read as JSON. */
const usualForm = /^\{"v":(8|9|10|11),"k":"([ !#-[\]-~]*)","c":"([ !#-[\]-~]*)","s":"([ !#-[\]-~]*)"\}$/;

function readAnyForm(text: string): SyncHeader {
  const members = readObject(text);
  const version = memberOf(members, 'v');
  if (typeof version !== 'number' || version < syncVersionMin || version > syncVersionMax) {
    throw malformed(`has no "v" from ${syncVersionMin} to ${syncVersionMax}`);
  }
  return {
    syncVersion: version,
    hostKey: textOf(members, 'k'),
    clientVersion: textOf(members, 'c'),
    sessionKey: textOf(members, 's'),
  };
}

function readObject(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch {
    throw malformed('is not JSON'); // The cause is not passed on: it may quote the text.
  }
  if (!isJsonObject(value)) throw malformed('is not an object');
  const repeated = repeatedName(text);
  if (repeated !== undefined) throw malformed(`has "${repeated}" twice`);
  return value;
}

/** In valid JSON a string before a colon is a member's name; it belongs to the outermost object at depth 1. */
const nameStringOrBracket = /("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\]]/g;

/** Names of the outermost object that occur twice: they would leave open which host key counts. */
function repeatedName(text: string): string | undefined {
  const names = new Set<string>();
  let depth = 0;
  for (const [token, quotedName] of text.matchAll(nameStringOrBracket)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    if (quotedName === undefined || depth !== 1) continue;
    const name = String(JSON.parse(quotedName));
    if (names.has(name) && isKnownName(name)) return name;
    names.add(name);
  }
  return undefined;
}

function isKnownName(name: string): boolean {
  return ['v', 'k', 'c', 's'].includes(name);
}

function textOf(members: JsonObject, key: string): string {
  const value = memberOf(members, key);
  if (typeof value !== 'string') throw malformed(`has no text "${key}"`);
  return value;
}

// The header holds the host key: no message may quote it.
function malformed(what: string): SyncError {
  return new SyncError('malformedRequest', `Cannot read the request: its ${syncHeaderName} header ${what}`);
}
