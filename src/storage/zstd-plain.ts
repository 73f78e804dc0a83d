/**
 * zstd frames whose blocks are not compressed: what compressors make of texts that are too short to shrink. Reading and
 * writing them here takes a microsecond in place of thirty, because no context of the library has to be made, and leaves
 * nothing for the garbage collector. Source of the format: RFC 8878.
 *
 * | offset | bytes | |
 * |---|---|---|
 * | 0 | 4 | magic number |
 * | 4 | 1 | descriptor: bits 6–7 length of the content size, 5 no window, 3 reserved, 2 checksum, 0–1 dictionary |
 * | 5 | 0 or 1 | window |
 * | | 0, 1, 2, 4 or 8 | content size; 256 is added to one of 2 bytes |
 * | | | blocks: 3 bytes (bit 0 last, 1–2 type, 3– size), then the content |
 */
const magic = 0xfd2fb528;
const rawBlock = 0;
const blockHeaderBytes = 3;
/** Content up to this size has a content size of one byte. */
const oneByteSizeMax = 255;
const twoByteSizeOffset = 256;
/** Longest content that is written as one frame here, bytes: the content size has two bytes then. */
const plainBytesMax = 0xffff;

/** Answers up to this size travel in one packet anyway, bytes: compressing them costs more than it saves. */
export const shortBytesMax = 1200;

/** A frame with the content as it is. Throws a `RangeError` for more than 64 KiB, which are worth compressing. */
export function plainFrame(content: Uint8Array): Buffer<ArrayBuffer> {
  const size = content.byteLength;
  if (size > plainBytesMax) throw new RangeError(`${size} bytes are too many for a frame without compression`);
  const isShort = size <= oneByteSizeMax;
  const contentAt = (isShort ? 6 : 7) + blockHeaderBytes;
  // With memory of its own: of a piece of Node's shared pool the whole pool would go to the other thread.
  const frame = Buffer.allocUnsafeSlow(contentAt + size);
  frame.writeUInt32LE(magic, 0);
  frame[4] = isShort ? 0b0010_0000 : 0b0110_0000;
  if (isShort) frame[5] = size;
  else frame.writeUInt16LE(size - twoByteSizeOffset, 5);
  frame.writeUIntLE((size << 3) | 1, contentAt - blockHeaderBytes, blockHeaderBytes);
  frame.set(content, contentAt);
  return frame;
}

/**
 * The content of such a frame: exactly one, of one block, with nothing behind it. Undefined for everything else, also for
 * what is broken: that is the library's to judge. The result shares its memory with the frame.
 */
export function contentOfPlainFrame(frame: Uint8Array): Uint8Array | undefined {
  if (frame.byteLength < 9) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const descriptor = view.getUint8(4);
  // Without a window, so that the size is there, in one or two bytes; no checksum, no dictionary.
  if (view.getUint32(0, true) !== magic || (descriptor & 0b1011_1111) !== 0b0010_0000) return undefined;
  const isShort = (descriptor & 0b0100_0000) === 0;
  const blockAt = isShort ? 6 : 7;
  const contentAt = blockAt + blockHeaderBytes;
  if (frame.byteLength < contentAt) return undefined;
  const size = isShort ? view.getUint8(5) : view.getUint16(5, true) + twoByteSizeOffset;
  const block = view.getUint16(blockAt, true) | (view.getUint8(blockAt + 2) << 16);
  if (block !== ((size << 3) | (rawBlock << 1) | 1) || frame.byteLength !== contentAt + size) return undefined;
  return frame.subarray(contentAt);
}
