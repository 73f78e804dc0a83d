import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { SyncError } from '../errors.ts';
import { KiB } from '../limits.ts';
import { BlockCutter } from './body-reader.ts';
import { formFieldBytesMax, formPartHeaderBytesMax, formPartHeaderLinesMax, formPartsMax } from './http-limits.ts';
import type { Spool } from './spool.ts';

/** Name of the part that holds the payload. */
const payloadName = 'data';
/** The parser works through one block at a time, so that a body full of boundaries is refused after a few of them. */
const blockBytes = 16 * KiB;
/** The end of the body that is kept to see how it ends, bytes: more than a text part and its headers take. */
const tailBytes = 4 * KiB;

/** Text fields by name; of equal names the last counts. The payload lies in the spool. */
export interface Form {
  readonly fields: ReadonlyMap<string, string>;
  /** Undefined when there was no `data` part. */
  readonly payload: Spool | undefined;
}

/**
 * Reads `multipart/form-data` as clients of sync versions 8 to 10 send it, in constant memory: any order of fields,
 * any boundary. The parsing is busboy's; here are the limits and what old clients need beyond the standard:
 *
 * - Anki 2.0 and AnkiDroid up to 2.8 leave out the closing boundary of `download`. The end of the body closes a form
 *   too, unless it cuts the payload off.
 * - Rust clients (2.1.28 to 2.1.56) send the payload first, before anything says what it is and whose.
 */
export class FormReader implements AsyncDisposable {
  readonly #parser: BusboyInstance;
  readonly #boundary: string;
  readonly #fields = new Map<string, string>();
  readonly #finished: Promise<void>;
  readonly #fail: (error: unknown) => void;
  readonly #cutter = new BlockCutter(blockBytes);
  #failed = false;
  #stopWaiting: (error: unknown) => void = () => {};
  #payload: Spool | undefined;
  /** The last piece of a payload can still be on its way into the spool when the parser has finished. */
  #spooling: Promise<void> = Promise.resolve();
  #tail: Buffer = Buffer.alloc(0);

  /** `openSpool` is called when a payload begins, with the fields that came before it; it may refuse by throwing. */
  constructor(contentType: string, openSpool: (fields: ReadonlyMap<string, string>) => Spool) {
    this.#boundary = boundaryOf(contentType);
    this.#parser = newParser(contentType);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#finished = promise;
    this.#finished.catch(() => {}); // Heard through `failure`, `take` or `finish`.
    this.#fail = (error) => {
      this.#failed = true;
      this.#stopWaiting(error);
      reject(error);
    };
    this.#parser.on('finish', resolve);
    this.#parser.on('error', () => this.#fail(malformed('it is cut off or broken')));
    this.#parser.on('partsLimit', () => this.#fail(malformed(`it has more than ${formPartsMax} parts`)));
    this.#parser.on('field', (name, value, _nameTruncated, isCut) => this.#takeField(name, value, isCut));
    this.#parser.on('file', (_name, file) => this.#takePayload(file, openSpool));
  }

  /** Rejects as soon as the form is refused. */
  get failure(): Promise<never> {
    return this.#finished.then(() => new Promise<never>(() => {}));
  }

  /** Takes a piece of the body. Wait for the promise, if any, before the next one. */
  take(piece: Uint8Array): undefined | Promise<void> {
    const blocks = this.#cutter.cut(piece);
    return blocks.length === 0 ? undefined : this.#parse(blocks);
  }

  /** The body is over. The payload of the returned form is still owned by this reader. */
  async finish(): Promise<Form> {
    await this.#parse([this.#cutter.rest()]);
    if (this.#tail.length === 0) throw malformed('it is empty');
    const closing = missingClosing(this.#tail, this.#boundary);
    if (closing === undefined) throw malformed('it is cut off');
    if (closing !== '') await this.#write(Buffer.from(closing, 'latin1'));
    this.#parser.end();
    await this.#finished;
    await this.#spooling;
    return { fields: this.#fields, payload: this.#payload };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(malformed('it was given up'));
    await this.#spooling;
    await this.#payload?.[Symbol.asyncDispose]();
  }

  async #parse(blocks: readonly Buffer[]): Promise<void> {
    for (const block of blocks) {
      if (this.#failed || block.length === 0) return;
      this.#tail = Buffer.concat([this.#tail, block]).subarray(-tailBytes);
      await this.#write(block);
    }
  }

  /** Settles when the parser can take more, and fails when it never will. */
  #write(block: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stopWaiting = reject;
      this.#parser.write(block, () => resolve());
    });
  }

  #takeField(name: string | undefined, value: string, isCut: boolean): void {
    if (name === undefined) return;
    if (isCut && isKnownField(name)) this.#fail(malformed(`its field ${name} is too long`));
    this.#fields.set(name, value);
  }

  #takePayload(file: BusboyFileStream, openSpool: (fields: ReadonlyMap<string, string>) => Spool): void {
    file.on('error', () => {}); // The parser reports it too.
    let spool: Spool;
    try {
      spool = openSpool(this.#fields);
    } catch (error) {
      this.#fail(error);
      file.resume();
      return;
    }
    const earlier = this.#payload;
    this.#payload = spool;
    void earlier?.[Symbol.asyncDispose]().catch(this.#fail); // Of two payloads the last counts.
    file.on('data', (piece: Buffer) => {
      if (this.#failed) return;
      const wait = spool.take(piece);
      if (wait === undefined) return;
      file.pause();
      this.#spooling = wait.then(() => void file.resume(), this.#fail);
    });
  }
}

function newParser(contentType: string): BusboyInstance {
  return new Busboy({
    headers: { 'content-type': contentType },
    isPartAFile: (name) => name === payloadName,
    limits: {
      parts: formPartsMax,
      fieldSize: formFieldBytesMax,
      headerPairs: formPartHeaderLinesMax,
      headerSize: formPartHeaderBytesMax,
    },
  });
}

function isKnownField(name: string): boolean {
  return ['c', 'k', 'sk', 's', 'v'].includes(name);
}

/** The boundary of a content type. Throws `malformedRequest` when it names none. */
function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw malformed('its content type names no boundary');
  return boundary;
}

/**
 * What has to be added to a body that ends in `tail` to close its form: nothing when it is closed, undefined when that
 * would be wrong, because the body ends within the payload or is no form at all.
 */
export function missingClosing(tail: Buffer, boundary: string): string | undefined {
  const text = `\r\n${tail.toString('latin1')}`; // The first boundary has no line end before it.
  if (text.includes(`\r\n--${boundary}--`)) return '';
  const lastPartAt = text.lastIndexOf(`\r\n--${boundary}\r\n`);
  if (lastPartAt === -1) return undefined;
  const [headers = '', ...rest] = text.slice(lastPartAt).split('\r\n\r\n');
  if (rest.length === 0 || /\bname="?data"?/i.test(headers)) return undefined;
  return text.endsWith('\r\n') ? `--${boundary}--\r\n` : `\r\n--${boundary}--\r\n`;
}

function malformed(what: string): SyncError {
  return new SyncError('malformedRequest', `Cannot read the form: ${what}`);
}
