import { compareUnicase } from '../text/unicase.ts';

// Bad sequences become U+FFFD, as in Anki; a byte order mark is part of the name.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The collation `unicase` on the bytes that SQLite hands to a collation. Decides at the first differing ASCII letter
 * where it can, because most names are ASCII up to there; that is right as everything before folds to the same.
 */
export function compareUnicaseBytes(a: Uint8Array, b: Uint8Array): number {
  const bytesMax = Math.min(a.length, b.length);
  for (let at = 0; at < bytesMax; at++) {
    const byteA = foldAscii(a[at] ?? 0);
    const byteB = foldAscii(b[at] ?? 0);
    // From the first byte that is not ASCII on, the table of foldings decides: `ß` is `ss`, the Kelvin sign is `k`.
    if (byteA > 0x7f || byteB > 0x7f) return compareUnicase(utf8.decode(a.subarray(at)), utf8.decode(b.subarray(at)));
    if (byteA !== byteB) return byteA - byteB;
  }
  return a.length - b.length;
}

function foldAscii(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
