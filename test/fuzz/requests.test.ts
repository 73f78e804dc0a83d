import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { fastFolder } from '../safety/fast-folder.ts';
import { isLong, seedOf } from '../safety/random.ts';
import { noteIdsOf, uploadFile } from '../safety/script.ts';
import { mediaZip, SyncDevice } from '../safety/sync-device.ts';
import { Random } from '../support/random.ts';
import { newSessionKey, RawClient } from '../support/raw-client.ts';
import { type Server, startServer } from '../support/server.ts';
import { Mutator } from './mutate.ts';
import { corpusOf, recordedFiles, recordedRequests } from './recorded.ts';

const seed = seedOf(1);
const requestsWanted = isLong ? 300_000 : 10_000;
const atOnce = 8;
/** A request without an answer after this long hangs, milliseconds. */
const answerMsMax = 60_000;
/** Of the server's process after all that, MiB. */
const residentMiBMax = 600;
/** All that the protocol and HTTP know; 500 would be a defect. */
const STATUSES = new Set([200, 400, 403, 404, 405, 408, 409, 413, 429, 431, 501]);

interface Shot {
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Whole requests, half-valid, in both dresses. */
class Gun {
  readonly #dice: Random;
  readonly #mutator: Mutator;
  readonly #hostKey: string;
  readonly #modern = recordedRequests();
  readonly #forms = recordedFiles('.request.multipart');
  readonly #collection: Buffer;
  #sessionKey = 'abc123';

  constructor(dice: Random, hostKey: string, collection: Buffer) {
    this.#dice = dice;
    this.#mutator = new Mutator(dice);
    this.#hostKey = hostKey;
    this.#collection = collection;
  }

  next(): Shot {
    const kind = this.#dice.integer(0, 9);
    if (kind === 0) return this.#form();
    if (kind === 1) return this.#media();
    if (kind === 2 && this.#dice.chance(0.3)) return this.#upload();
    return this.#message();
  }

  #message(): Shot {
    const dice = this.#dice;
    const { target, json } = dice.pick(this.#modern);
    if (dice.chance(0.1)) this.#sessionKey = newSessionKey();
    const value = dice.chance(0.7) ? this.#mutator.json((json ?? {}) as never) : json;
    const text = Buffer.from(JSON.stringify(value ?? {}));
    const body = zstdCompressSync(dice.chance(0.1) ? this.#mutator.bytes(text) : text);
    return { target: this.#target(target), headers: this.#headers(), body: this.#mangled(body, 0.1) };
  }

  #media(): Shot {
    const zip = mediaZip([
      [`${this.#dice.integer(0, 5)}.jpg`, `content ${this.#dice.integer(0, 5)}`],
      ['b.png', null],
    ]);
    const body = zstdCompressSync(this.#mangled(zip, 0.7));
    return { target: 'msync/uploadChanges', headers: this.#headers(), body: this.#mangled(body, 0.1) };
  }

  #upload(): Shot {
    const body = zstdCompressSync(this.#mangled(this.#collection, 0.9));
    return { target: 'sync/upload', headers: this.#headers(), body: this.#mangled(body, 0.2) };
  }

  #form(): Shot {
    const recorded = this.#dice.pick(this.#forms);
    // Host keys and their hashes are as long as each other.
    const form = Buffer.from(recorded.toString('latin1').replace(/\b[0-9a-f]{40}\b/, this.#hostKey), 'latin1');
    const boundary = /^--([^\r\n]+)/.exec(form.toString('latin1'))?.[1] ?? 'x';
    const method = this.#dice.pick([
      'sync/meta',
      'sync/start',
      'sync/applyChunk',
      'sync/chunk',
      'msync/begin',
      'sync/upload',
    ]);
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    return { target: method, headers, body: this.#mangled(form, 0.7) };
  }

  #headers(): Record<string, string> {
    const header = JSON.stringify({ v: 11, k: this.#hostKey, c: '26.09.3,test,linux', s: this.#sessionKey });
    const mangled = this.#dice.chance(0.05) ? this.#mutator.bytes(Buffer.from(header)).toString('latin1') : header;
    // Node's client lets no control characters pass; those go through a bare connection.
    return { 'anki-sync': mangled.replaceAll(/[^\x20-\x7e]/g, '?'), 'content-type': 'application/octet-stream' };
  }

  #target(target: string): string {
    if (!this.#dice.chance(0.05)) return target;
    return this.#mutator
      .bytes(Buffer.from(target))
      .toString('latin1')
      .replaceAll(/[^\x21-\x7e]/g, '%00');
  }

  #mangled(bytes: Buffer, probability: number): Buffer {
    return this.#dice.chance(probability) ? this.#mutator.bytes(bytes) : bytes;
  }
}

/** The status of the answer. */
function send(server: Server, { target, headers, body }: Shot): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(server.url);
    const options = { host: url.hostname, port: url.port, path: `/${target}`, method: 'POST', headers, agent: false };
    const request = http.request(options, (response) => {
      response.on('error', reject);
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.setTimeout(answerMsMax, () => request.destroy(new Error('no answer')));
    // A refusal may come, and the connection go, while the body is still being sent.
    request.on('error', (error) =>
      'code' in error && ['ECONNRESET', 'EPIPE'].includes(String(error.code)) ? resolve(400) : reject(error),
    );
    request.end(body);
  });
}

/** Bytes that are no request, on a bare connection. */
async function sendNonsense(server: Server, bytes: Uint8Array): Promise<void> {
  const url = new URL(server.url);
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => {});
  socket.end(bytes);
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.setTimeout(200, () => socket.destroy());
    socket.resume();
  });
}

function residentMiB(pid: number): number {
  if (process.platform !== 'linux') return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

test(`${requestsWanted} half-valid requests: each is answered by the book, and nobody else's data are touched`, async (t) => {
  const dice = new Random(seed);
  const parent = fastFolder('requests-');
  const base = path.join(parent, 'base');
  mkdirSync(base);
  try {
    await using server = await startServer({ kind: 'ours', base, users: ['ann', 'bob'], passwords: 'plain' });
    const file = await uploadFile('fresh-empty.anki2');
    const bob = new SyncDevice(server.rawClient('bob'));
    await bob.upload(file.bytes, file.state);
    await bob.sync({ noteIds: [1_500_000_000_001] });
    await bob.sendMedia([['bob.jpg', 'content']]);
    const media = await bob.readMedia();
    await new RawClient(server.url, server.hostKey('ann')).upload(file.bytes);

    const statuses = new Map<number, number>();
    const gun = new Gun(dice, server.hostKey('ann'), file.bytes);
    for (const bytes of corpusOf('request')) await sendNonsense(server, bytes);
    let shots = 0;
    const shoot = async () => {
      while (shots++ < requestsWanted) {
        const shot = gun.next();
        const status = await send(server, shot);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (!STATUSES.has(status)) {
          const trouble = await troubleOf(server);
          assert.fail(`seed ${seed}: ${describe(shot)} was answered with ${status}\n${trouble}`);
        }
        if (dice.chance(0.02)) await sendNonsense(server, shot.body);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, shoot));

    assert.ok(server.running);
    const resident = Math.round(residentMiB(server.pid ?? 0));
    assert.ok(resident < residentMiBMax, `the server takes ${resident} MiB`);
    assert.deepEqual(readdirSync(parent), ['base']);
    assert.deepEqual(readdirSync(base).sort(), ['.server', 'ann', 'bob']);
    assert.doesNotMatch(server.log, /thread died|unexpected error/);
    await bob.sync();
    assert.ok(noteIdsOf(await bob.download()).has(1_500_000_000_001));
    assert.deepEqual(await bob.readMedia(), media);
    const ann = new SyncDevice(server.rawClient('ann'));
    await ann.download();
    await ann.readMedia();
    const figures = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
    t.diagnostic(`seed ${seed}: ${figures.join(', ')}; the server takes ${resident} MiB`);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

function describe({ target, headers, body }: Shot): string {
  let text = `base64 ${body.toString('base64').slice(0, 2000)}`;
  try {
    text = zstdDecompressSync(body, { maxOutputLength: 100_000 }).toString().slice(0, 2000);
  } catch {
    // As it is.
  }
  return `${target} ${JSON.stringify(headers)} ${text}`;
}

async function troubleOf(server: Server): Promise<string> {
  await sleep(200); // The line is written a moment after the answer.
  return server.log
    .split('\n')
    .filter((line) => / ERROR /.test(line))
    .slice(-3)
    .join('\n');
}
