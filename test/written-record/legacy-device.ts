import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { type FormField, formBody } from '../helpers/http-harness.ts';
import type { Server } from '../support/server.ts';

/** How one generation of clients writes its forms. */
export interface FormStyle {
  readonly boundary: string;
  /** Puts the fields into the order in which this client sends them. */
  order(fields: readonly FormField[]): readonly FormField[];
}

/** Python desktop: fields as they were set, the payload last. */
export const pythonStyle: FormStyle = { boundary: 'Anki-sync-boundary', order: (fields) => fields };

/** AnkiDroid and Anki 2.0: fields from a hash map, in any order, the payload last. */
export const hashMapStyle: FormStyle = {
  boundary: 'Anki-sync-boundary',
  order: (fields) => {
    const texts = fields.filter(([name]) => name !== 'data').toReversed();
    return [...texts, ...fields.filter(([name]) => name === 'data')];
  },
};

/** A device of sync version 8 to 10 that is written down here message by message, because it cannot be run. */
export class LegacyDevice {
  readonly #server: Server;
  readonly #style: FormStyle;
  readonly sessionKey = 'f00dcafe';
  readonly hostKey: string;

  constructor(server: Server, user: string, style: FormStyle) {
    this.#server = server;
    this.#style = style;
    this.hostKey = server.hostKey(user);
  }

  /** Sends a form as it is. */
  async form(path: string, fields: readonly FormField[], isClosed = true): Promise<{ status: number; body: Buffer }> {
    const body = formBody(this.#style.order(fields), this.#style.boundary, isClosed);
    const response = await fetch(new URL(path, this.#server.url), {
      method: 'POST',
      headers: { 'Content-type': `multipart/form-data; boundary=${this.#style.boundary}` },
      body,
    });
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
  }

  /** A message on the collection, with the answer's JSON. */
  async sync(method: string, content: unknown): Promise<unknown> {
    const fields: FormField[] = [
      ['k', this.hostKey],
      ['s', this.sessionKey],
      ['c', '1'],
      ['data', gzipSync(JSON.stringify(content))],
    ];
    return this.#json(`sync/${method}`, fields);
  }

  /** A media message with the answer's JSON; bytes are sent as they are. */
  async media(method: string, content: unknown): Promise<unknown> {
    const isZip = content instanceof Uint8Array;
    const data = isZip ? content : gzipSync(JSON.stringify(content));
    return this.#json(`msync/${method}`, [
      ['sk', this.hostKey],
      ['c', isZip ? '0' : '1'],
      ['data', data],
    ]);
  }

  async #json(path: string, fields: readonly FormField[]): Promise<unknown> {
    const { status, body } = await this.form(path, fields);
    assert.equal(status, 200, `${path}: ${body.toString()}`);
    return JSON.parse(body.toString());
  }
}
