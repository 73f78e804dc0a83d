import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { causesOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { loadTlsIdentity, type TlsFiles, type TlsIdentity } from './tls-identity.ts';

/** How often the files are looked at, milliseconds. */
const lookMs = 5_000;

export interface TlsKeeperOptions {
  readonly files: TlsFiles;
  readonly log: Log;
  /** For tests: `lookMs` otherwise. */
  readonly lookMs?: number;
}

/**
 * Keeps the certificate that is in use, and takes the next one when the files have changed. They are looked at, not
 * watched: that works for links that are turned to other files (certbot), for folders that are exchanged as a whole
 * (Kubernetes) and for network disks. A pair that cannot be used changes nothing.
 */
export class TlsKeeper implements Disposable {
  readonly #options: TlsKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #users: ((identity: TlsIdentity) => void)[] = [];
  #identity: TlsIdentity;
  /** State of the files when they were last read, and at the last look. */
  #readState: string;
  #seenState: string | undefined;

  /** Reads the files. Throws `TlsIdentityError`. */
  constructor(options: TlsKeeperOptions) {
    this.#options = options;
    const { cert, key } = options.files;
    // Before they are read: what changes in between is read again.
    this.#readState = [cert, key]
      .map((file) => stateOf(statSync(file, { bigint: true, throwIfNoEntry: false })))
      .join();
    this.#identity = loadTlsIdentity(options.files, Date.now());
    this.#warn();
    this.#timer = setInterval(() => void this.#look(), options.lookMs ?? lookMs);
    this.#timer.unref();
  }

  get identity(): TlsIdentity {
    return this.#identity;
  }

  /** `take` hears of every later certificate. */
  onChange(take: (identity: TlsIdentity) => void): void {
    this.#users.push(take);
  }

  /** Reads the files now. What cannot be used is logged, and the certificate in use stays. */
  reload(): void {
    const { files, log } = this.#options;
    try {
      const next = loadTlsIdentity(files, Date.now());
      const isNew = next.fingerprint !== this.#identity.fingerprint || next.context.key !== this.#identity.context.key;
      this.#identity = next;
      for (const take of this.#users) take(next);
      log.info({ names: next.names, valid_to: next.validTo, is_new: isNew }, 'Read the TLS certificate again');
      this.#warn();
    } catch (error) {
      const context = causesOf(error);
      log.error({ context, valid_to: this.#identity.validTo }, 'Cannot use the new TLS certificate; the old one stays');
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Two looks have to see the same: whoever writes two files does not do it at once. */
  async #look(): Promise<void> {
    const { cert, key } = this.#options.files;
    const infos = await Promise.all([cert, key].map((file) => stat(file, { bigint: true }).catch(() => undefined)));
    const state = infos.map(stateOf).join();
    const isSettled = state === this.#seenState;
    this.#seenState = state;
    if (!isSettled || state === this.#readState) return;
    this.#readState = state;
    this.reload();
  }

  #warn(): void {
    for (const warning of this.#identity.warnings) this.#options.log.warn({}, warning);
  }
}

/** Changes whenever the file behind a path is another or was written. */
function stateOf(info: BigIntStats | undefined): string {
  return info === undefined ? 'none' : `${info.dev}:${info.ino}:${info.size}:${info.mtimeNs}:${info.ctimeNs}`;
}
