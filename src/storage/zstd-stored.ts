// zstd frames for long content that is compressed already: it goes into the frame as it is. Compressing it once more
// would cost most of the processor time of sending it, and save nothing. Source of the format: RFC 8878.
//
// | offset | bytes | |
// |---|---|---|
// | 0 | 4 | magic number |
// | 4 | 1 | descriptor: content size of 8 bytes, a window, no checksum, no dictionary |
// | 5 | 1 | window: 128 KiB |
// | 6 | 8 | content size |
// | 14 | | blocks: 3 bytes (bit 0 last, 1–2 type, 3– size), then the content |

const magic = 0xfd2fb528;
const headBytes = 14;
const descriptor = 0b1100_0000;
const windowOf128KiB = 7 << 3;
const blockHeaderBytes = 3;
/** The longest block that the format allows, bytes. */
const blockBytesMax = 128 * 1024;

/** The sample of a content: as much in all, and in so many runs, bytes. */
const sampleBytes = 4096;
const sampleRuns = 16;
/** Bits for each byte beyond which compressors gain next to nothing. Of random bytes a sample this short tells 7.95. */
const packedBitsMin = 7.7;

/** Writes a content of known length into one frame, piece by piece, without copying it. */
export class StoredFrame {
  /** The first bytes of the frame. */
  readonly head: Buffer;
  #bytesLeft: number;

  constructor(contentBytes: number) {
    this.#bytesLeft = contentBytes;
    this.head = Buffer.alloc(headBytes);
    this.head.writeUInt32LE(magic, 0);
    this.head[4] = descriptor;
    this.head[5] = windowOf128KiB;
    this.head.writeBigUInt64LE(BigInt(contentBytes), 6);
  }

  /** The next piece of the content, cut into blocks; the one that completes the content also ends the frame. */
  blocks(piece: Uint8Array): Uint8Array[] {
    if (piece.byteLength > this.#bytesLeft) throw new RangeError('There is more content than was announced');
    const parts: Uint8Array[] = [];
    for (let at = 0; at < piece.byteLength; at += blockBytesMax) {
      const block = piece.subarray(at, at + blockBytesMax);
      this.#bytesLeft -= block.byteLength;
      const header = Buffer.alloc(blockHeaderBytes);
      header.writeUIntLE((block.byteLength << 3) | (this.#bytesLeft === 0 ? 1 : 0), 0, blockHeaderBytes);
      parts.push(header, block);
    }
    return parts;
  }
}

/** Is the content compressed already, or would compressing it be worth while? A sample tells, by how even its bytes are. */
export function looksPacked(content: Uint8Array): boolean {
  const runBytes = sampleBytes / sampleRuns;
  const counts = new Uint32Array(256);
  const runs = content.byteLength <= sampleBytes ? 1 : sampleRuns;
  const bytes = runs === 1 ? content.byteLength : runBytes;
  for (let run = 0; run < runs; run++) {
    const start = runs === 1 ? 0 : Math.floor((run * (content.byteLength - runBytes)) / (sampleRuns - 1));
    for (let at = start; at < start + bytes; at++) {
      const byte = content[at] ?? 0;
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
  }
  return bitsPerByte(counts, runs * bytes) > packedBitsMin;
}

/** Shannon's entropy. */
function bitsPerByte(counts: Uint32Array, total: number): number {
  let bits = 0;
  for (const count of counts) if (count > 0) bits += (count / total) * Math.log2(total / count);
  return bits;
}
