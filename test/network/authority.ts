import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Certificate, makeCertificate } from '../support/certificates.ts';

/** A certificate authority of the test, and the files of one server that it has issued certificates to. */
export class Authority implements AsyncDisposable {
  readonly folder: string;
  readonly root = makeCertificate({ name: 'Test Root', isAuthority: true });
  readonly #middle = makeCertificate({ name: 'Test Middle', isAuthority: true, issuer: this.root });

  static async create(): Promise<Authority> {
    const authority = new Authority(await mkdtemp(path.join(os.tmpdir(), 'anki-authority-')));
    await writeFile(authority.rootFile, authority.root.pem);
    await authority.install(authority.issue());
    return authority;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** For clients to trust. */
  get rootFile(): string {
    return path.join(this.folder, 'root.pem');
  }

  /** The settings of a server with its certificate. */
  get settings(): { SYNC_TLS_CERT: string; SYNC_TLS_KEY: string } {
    return { SYNC_TLS_CERT: this.#file('cert.pem'), SYNC_TLS_KEY: this.#file('key.pem') };
  }

  issue(name = 'server'): Certificate {
    return makeCertificate({ name, issuer: this.#middle, hosts: ['localhost', '127.0.0.1'] });
  }

  /** Puts a certificate where the server looks. */
  async install({ pem, keyPem }: Certificate): Promise<void> {
    for (const [name, text] of [
      ['cert.pem', pem + this.#middle.pem],
      ['key.pem', keyPem],
    ] as const) {
      await writeFile(this.#file(`${name}.new`), text);
      await rename(this.#file(`${name}.new`), this.#file(name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return path.join(this.folder, name);
  }
}
