import { mediaNameBytesMax } from '../limits.ts';

/** The name of a media file that may become a path: one component, NFC, of bounded length. */
export type MediaName = string & { readonly __brand: 'MediaName' };

export type MediaNameResult =
  | { readonly kind: 'name'; readonly name: MediaName }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * May a client store a file under this name? Only what cannot be a file or would break other clients is refused. Names
 * that today's clients would change before use are kept as they are, because older clients hold such files and would
 * otherwise never get past them. `platform` is that of the server, as in `process.platform`.
 */
export function parseMediaName(text: string, platform: NodeJS.Platform = process.platform): MediaNameResult {
  const reason = refusal(text, platform);
  return reason === undefined ? { kind: 'name', name: text as MediaName } : { kind: 'refused', reason };
}

/** Can the text be one component of a path at all? Names that come out of an index are only asked this. */
export function isFileName(text: string, platform: NodeJS.Platform = process.platform): text is MediaName {
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('\0')) return false;
  return platform !== 'win32' || !unusableOnWindows(text);
}

function refusal(text: string, platform: NodeJS.Platform): string | undefined {
  if (!text.isWellFormed()) return 'not valid Unicode';
  if (Buffer.byteLength(text) > mediaNameBytesMax) return `longer than ${mediaNameBytesMax} bytes`;
  if (text.normalize('NFC') !== text) return 'not in Unicode form NFC';
  if (!isFileName(text, platform)) return 'not a file name';
  // A client that is sent such a name has nothing left to save the file under, and its media sync fails for good.
  if (text.replace(removedByClients, '') === '') return 'nothing is left of it on a client';
  return undefined;
}

/**
 * What clients take out of a name before they save it. They also take out what Unicode 10 had not assigned yet; what is
 * unassigned today stands for that.
 */
const removedByClients = /[[\]<>:"/?*^\\|\p{Cc}\p{Cn}]/gu;

// A backslash separates, a colon opens a second stream of another file, a device name is no file, and a dot or space at
// the end is dropped without a word.
function unusableOnWindows(text: string): boolean {
  const device = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;
  return /[<>:"|?*\\]|\p{Cc}|[. ]$/u.test(text) || device.test(text);
}
