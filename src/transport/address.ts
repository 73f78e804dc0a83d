import { MEDIA_METHODS, type MediaMethod, SYNC_METHODS, type SyncMethod } from '../protocol/message.ts';

const syncPrefix = '/sync/';
const mediaPrefix = '/msync/';

/** What a request looks like before its address is trusted. */
export interface RequestLook {
  /** HTTP method. */
  readonly method: string;
  /** Request target as it came. */
  readonly target: string;
  /** Has it an `anki-sync` header? */
  readonly hasSyncHeader: boolean;
  readonly contentType: string | undefined;
}

/**
 * The address that was meant. People type the server's address with a slash too many, one too few, with `sync/` behind
 * it, or with a path that their proxy keeps; clients put their own part behind it as it is:
 *
 * | typed | asked for |
 * |---|---|
 * | `http://host:8080//` | `//sync/meta` |
 * | `http://host:8080/sync/` | `/sync/sync/meta`, `/sync/msync/begin` |
 * | `http://host:8080/anki/` | `/anki/sync/meta` |
 * | `http://host:8080/sync` (two-address clients) | `/syncmeta` |
 * | `http://host:8080/` (two-address clients) | `/meta`, `/begin` |
 *
 * Only requests that are sync messages by their looks are led there; for all others the address stays what it is.
 */
export function intendedTarget(look: RequestLook): string {
  const target = withoutOrigin(look.target);
  const queryAt = target.indexOf('?');
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  const query = queryAt === -1 ? '' : target.slice(queryAt);
  const route = isSyncMessage(look, query) ? meantRoute(path) : undefined;
  return route === undefined ? target : route + query;
}

/** The route of a message whose path ends in a method name, with or without its prefix; undefined for other paths. */
function meantRoute(path: string): string | undefined {
  const segments = path.split('/').filter((segment) => segment !== '');
  const last = decoded(segments.pop() ?? '');
  const prefix = segments.pop();
  if (prefix !== undefined && !/^m?sync$/i.test(prefix)) return fusedRoute(last);
  return routeOfMethod(last) ?? fusedRoute(last);
}

/** `syncmeta`, `msyncbegin` */
function fusedRoute(segment: string): string | undefined {
  const method = /^m?sync(.+)$/.exec(segment)?.[1];
  return method === undefined ? undefined : routeOfMethod(method);
}

function routeOfMethod(method: string): string | undefined {
  // The two lists share no name, so a method under the wrong prefix is clear too.
  if (isSyncMethod(method)) return syncPrefix + method;
  return isMediaMethod(method) ? mediaPrefix + method : undefined;
}

/** A request target without its query, which may hold host keys. */
export function pathOf(target: string): string {
  const [path = ''] = target.split('?', 1);
  return path;
}

/** The message that a request with this verb and target is; undefined when it is none. */
export function methodOf(verb: string, target: string): SyncMethod | MediaMethod | undefined {
  const path = pathOf(target);
  if (path.startsWith(syncPrefix)) {
    const name = path.slice(syncPrefix.length);
    return verb === 'POST' && isSyncMethod(name) ? name : undefined;
  }
  if (!path.startsWith(mediaPrefix)) return undefined;
  const name = path.slice(mediaPrefix.length);
  if (!isMediaMethod(name)) return undefined;
  return verb === 'POST' || (name === 'begin' && (verb === 'GET' || verb === 'HEAD')) ? name : undefined;
}

function isSyncMethod(text: string): text is SyncMethod {
  return SYNC_METHODS.some((method) => method === text);
}

function isMediaMethod(text: string): text is MediaMethod {
  return MEDIA_METHODS.some((method) => method === text);
}

function isSyncMessage(look: RequestLook, query: string): boolean {
  if (look.method === 'POST') return look.hasSyncHeader || isFormType(look.contentType);
  return (look.method === 'GET' || look.method === 'HEAD') && /[?&]k=/.test(query);
}

/** Is it the content type of sync versions 8 to 10? */
export function isFormType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType);
}

/** Requests to proxies name the whole address; the path is what counts. */
function withoutOrigin(target: string): string {
  if (target.startsWith('/')) return target;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([/?].*)?$/i.exec(target)?.[1];
  if (path === undefined) return target;
  return path.startsWith('/') ? path : `/${path}`;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
