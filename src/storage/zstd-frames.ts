// A zstd stream is a row of frames (RFC 8878, section 3.1). Lengths in bytes, numbers little-endian.
//
// | frame                                           | skippable frame               |
// |-------------------------------------------------|-------------------------------|
// | 4       magic 0xFD2FB528                        | 4  magic 0x184D2A50 … 5F      |
// | 1       descriptor: which of the next there are | 4  length                     |
// | 0 … 13  window, dictionary, content length      |    as many bytes of no matter |
// |         blocks: 3 of header, then content       |                               |
// | 0 or 4  checksum                                |                               |

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const magicBytes = 4;
const skippableLengthBytes = 4;
const blockHeaderBytes = 3;
const checksumBytes = 4;
/** A block of one byte that is repeated; its header tells how often. */
const repeatedByte = 1;
/** Bytes of a dictionary's id and of the content's length, by their two bits of the descriptor. */
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_LENGTH_BYTES = [0, 2, 4, 8] as const;

/** `read` asks for a number of so many bytes, `pass` goes over them, `end` is where a frame ends. */
type Step = { readonly read: number } | { readonly pass: number } | 'end';

function* walkFrames(): Generator<Step, never, number> {
  for (;;) {
    const magic = yield { read: magicBytes };
    if (magic >>> 4 === skippableMagic >>> 4) yield { pass: yield { read: skippableLengthBytes } };
    else if (magic === frameMagic) yield* walkFrame();
    else yield { pass: Number.POSITIVE_INFINITY }; // No zstd, which is for the decoder to say.
    yield 'end';
  }
}

function* walkFrame(): Generator<Step, void, number> {
  const descriptor = yield { read: 1 };
  const isOneSegment = (descriptor & 0b10_0000) !== 0;
  const windowBytes = isOneSegment ? 0 : 1;
  const dictionaryBytes = DICTIONARY_BYTES[descriptor & 0b11] ?? 0;
  const contentLengthBytes = CONTENT_LENGTH_BYTES[descriptor >>> 6] || (isOneSegment ? 1 : 0);
  yield { pass: windowBytes + dictionaryBytes + contentLengthBytes };
  for (let isLast = false; !isLast; ) {
    const header = yield { read: blockHeaderBytes };
    isLast = (header & 1) !== 0;
    const type = (header >>> 1) & 0b11;
    yield { pass: type === repeatedByte ? 1 : header >>> 3 };
  }
  if ((descriptor & 0b100) !== 0) yield { pass: checksumBytes };
}

/** Cuts a zstd stream, which may arrive in pieces of any size, at the ends of its frames. It decodes and judges nothing. */
export class ZstdFrameCutter {
  readonly #walk = walkFrames();
  #step: Step = this.#walk.next().value;
  /** Of the current step: bytes so far, and the number that they make. */
  #doneBytes = 0;
  #number = 0;
  /** The step that came after the last frame. */
  #afterFrame: Step | undefined;

  /** Has every frame that began also ended, and was there one? */
  get isComplete(): boolean {
    return this.#step === this.#afterFrame && this.#doneBytes === 0;
  }

  /** The same bytes in as many pieces as there are frames in them; they share the memory of `piece`. */
  *cut<Piece extends Uint8Array>(piece: Piece): Generator<Uint8Array, void> {
    let begin = 0;
    for (let at = 0; at < piece.length; ) {
      at += this.#take(piece, at);
      if (this.#step !== 'end') continue;
      yield piece.subarray(begin, at);
      begin = at;
      this.#step = this.#walk.next(0).value;
      this.#afterFrame = this.#step;
    }
    if (begin < piece.length) yield piece.subarray(begin);
  }

  /** Goes on with the current step, at most to its end. Returns how many bytes it took. */
  #take(piece: Uint8Array, at: number): number {
    const step = this.#step;
    if (step === 'end') return 0;
    const wanted = 'read' in step ? 1 : step.pass - this.#doneBytes;
    const taken = Math.min(wanted, piece.length - at);
    if ('read' in step) this.#number += (piece[at] ?? 0) * 256 ** this.#doneBytes;
    this.#doneBytes += taken;
    while (this.#step !== 'end' && this.#doneBytes === ('read' in this.#step ? this.#step.read : this.#step.pass)) {
      const number = this.#number;
      this.#doneBytes = 0;
      this.#number = 0;
      this.#step = this.#walk.next(number).value;
    }
    return taken;
  }
}
