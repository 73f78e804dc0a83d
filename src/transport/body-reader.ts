import type { IncomingMessage } from 'node:http';
import { SyncError } from '../errors.ts';

/** The client closed the connection before its request was whole: nobody is left to answer. */
export class ClientGoneError extends Error {
  constructor() {
    super('The client closed the connection before its request was complete');
    this.name = 'ClientGoneError';
  }
}

export interface BodyReading {
  /** Bytes as sent; passing it is refused as soon as it happens. */
  readonly bytesMax: number;
  /** Silence on the connection that ends the reading, milliseconds. Slow but moving bodies may take all day. */
  readonly stalledMsMax: number;
  /** What to say of a body that is too long. */
  tooLong(): Error;
  /** Takes a piece; a promise holds the rest back until it is settled. A failure ends the reading. */
  take(piece: Buffer): undefined | Promise<void>;
  /** Rejects when whoever takes the pieces cannot go on, although no piece is being handed over. */
  readonly failure?: Promise<never>;
}

/**
 * Reads the body of a request and returns its length in bytes. The request is never destroyed here: that would close the
 * connection, and the client could not hear why its request was refused.
 */
export async function readBody(request: IncomingMessage, reading: BodyReading): Promise<number> {
  reading.failure?.catch(() => {}); // In any case: a rejection that nobody hears ends the process.
  // A small body comes in one packet with its head, and all of it is there when what has arrived is parsed.
  await new Promise<void>((parsed) => setImmediate(parsed));
  return isThere(request) ? takeWhole(request, reading) : readPieces(request, reading);
}

function isThere(request: IncomingMessage): boolean {
  return request.complete && !request.readableDidRead && !request.destroyed && !request.socket.destroyed;
}

async function takeWhole(request: IncomingMessage, reading: BodyReading): Promise<number> {
  let byteLength = 0;
  for (let piece = nextPiece(request); piece !== null; piece = nextPiece(request)) {
    byteLength += piece.length;
    if (byteLength > reading.bytesMax) throw reading.tooLong();
    const taking = reading.take(piece);
    if (taking !== undefined) await (reading.failure === undefined ? taking : Promise.race([taking, reading.failure]));
  }
  return byteLength;
}

function nextPiece(request: IncomingMessage): Buffer | null {
  return request.read();
}

/** Waits for the body, piece by piece. */
function readPieces(request: IncomingMessage, reading: BodyReading): Promise<number> {
  return new Promise((resolve, reject) => {
    let byteLength = 0;
    let isSettled = false;
    let taking: Promise<void> = Promise.resolve();
    const settle = (error?: unknown): undefined => {
      if (isSettled) return;
      isSettled = true;
      for (const [event, listener] of Object.entries(listeners)) request.off(event, listener);
      request.socket.setTimeout(0);
      if (error === undefined) {
        resolve(byteLength);
      } else {
        request.pause();
        reject(error);
      }
    };
    const onData = (piece: Buffer): void => {
      byteLength += piece.length;
      const wait = byteLength > reading.bytesMax ? settle(reading.tooLong()) : tryTake(reading, piece, settle);
      if (wait === undefined) return;
      request.pause();
      taking = wait.then(() => void (isSettled || request.resume()));
      taking.catch(settle);
    };
    /** The stream can end, and close after it, while its last piece is still being taken. */
    const onEnd = (): void => {
      request.off('close', onClose);
      taking.then(() => settle(), settle);
    };
    const onClose = () => settle(new ClientGoneError());
    const listeners: Record<string, (piece: Buffer) => void> = {
      data: onData,
      end: onEnd,
      close: onClose,
      error: onClose,
      timeout: () => onSilence(request, reading.stalledMsMax, settle),
    };
    reading.failure?.catch(settle);
    if (request.destroyed || request.socket.destroyed) return settle(new ClientGoneError());
    for (const [event, listener] of Object.entries(listeners)) request.on(event, listener);
    request.socket.setTimeout(reading.stalledMsMax);
  });
}

function tryTake(reading: BodyReading, piece: Buffer, settle: (error: unknown) => void): undefined | Promise<void> {
  try {
    return reading.take(piece);
  } catch (error) {
    settle(error);
    return undefined;
  }
}

/** The connection was silent. While the body is held back on this side that is not the client's fault. */
function onSilence(request: IncomingMessage, stalledMsMax: number, settle: (error: unknown) => void): void {
  if (request.isPaused()) request.socket.setTimeout(stalledMsMax);
  else settle(new SyncError('clientTooSlow', `Cannot read the request: no byte came for ${stalledMsMax / 1000} s`));
}

/**
 * Collects a body that has to be in memory whole. Pieces are copied together, because a body in millions of tiny ones
 * would else take a hundred times its size.
 */
export class ByteCollector {
  #buffer = nothing;
  #byteLength = 0;

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Was the buffer of this piece taken over, and not its bytes copied? */
  owns({ buffer }: Uint8Array): boolean {
    return buffer === this.#buffer;
  }

  /** A first piece that fills its buffer is not copied: most bodies come in one, and the buffer is taken over. */
  take(piece: Uint8Array): undefined {
    const { buffer } = piece;
    const needed = this.#byteLength + piece.length;
    if (this.#byteLength === 0 && buffer instanceof ArrayBuffer && buffer.byteLength === needed) {
      this.#buffer = buffer;
    } else {
      if (needed > this.#buffer.byteLength) this.#buffer = this.#grown(Math.max(needed, 2 * this.#buffer.byteLength));
      new Uint8Array(this.#buffer).set(piece, this.#byteLength);
    }
    this.#byteLength = needed;
  }

  /** All bytes; the collector is empty afterwards. They own their buffer and can be handed to another thread. */
  release(): Uint8Array<ArrayBuffer> {
    const whole = this.#byteLength === this.#buffer.byteLength ? this.#buffer : this.#buffer.transfer(this.#byteLength);
    this.#buffer = nothing;
    this.#byteLength = 0;
    return new Uint8Array(whole);
  }

  #grown(byteLength: number): ArrayBuffer {
    return this.#buffer === nothing ? new ArrayBuffer(byteLength) : this.#buffer.transfer(byteLength);
  }
}

const nothing = new ArrayBuffer(0);

/**
 * Cuts a body into blocks of one size, however finely its sender has cut it: what is done for each piece is then done
 * a few times, and not a million times. Blocks are never reused, whoever gets one may keep it.
 */
export class BlockCutter {
  readonly #blockBytes: number;
  #block = Buffer.alloc(0);
  #filled = 0;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** The blocks that are full now, in order. */
  cut(piece: Uint8Array): readonly Buffer[] {
    const full: Buffer[] = [];
    for (let at = 0; at < piece.length; ) {
      if (this.#filled === 0) this.#block = Buffer.allocUnsafeSlow(this.#blockBytes);
      const taken = Math.min(piece.length - at, this.#blockBytes - this.#filled);
      this.#block.set(piece.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#blockBytes) full.push(this.rest());
    }
    return full;
  }

  /** The bytes behind the last full block. */
  rest(): Buffer {
    const rest = this.#block.subarray(0, this.#filled);
    this.#filled = 0;
    return rest;
  }
}

/**
 * Drops what is left of a body after its request was answered. Closing at once would make the system throw the answer
 * away on the client's side while it still sends; so the rest is read for a while, and then the connection is closed.
 */
export function drainRest(request: IncomingMessage, lingerMsMax: number): void {
  if (request.complete || request.socket.destroyed) return;
  const giveUp = setTimeout(() => request.socket.destroy(), lingerMsMax);
  giveUp.unref();
  request.once('close', () => clearTimeout(giveUp));
  request.once('end', () => clearTimeout(giveUp));
  request.on('error', () => {}); // Whoever closes now is not interested in the answer.
  request.resume();
}
