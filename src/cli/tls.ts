import type { Config } from '../config/config.ts';
import type { Log } from '../log.ts';
import { TlsIdentityError } from '../transport/tls-identity.ts';
import { TlsKeeper } from '../transport/tls-keeper.ts';

/** The certificate of the settings, if there is one. A problem is a line for the owner of the server. */
export function openTls(config: Config, log: Log): { readonly keeper?: TlsKeeper } | { readonly problem: string } {
  if (config.tlsFiles === undefined) return {};
  try {
    return { keeper: new TlsKeeper({ files: config.tlsFiles, log }) };
  } catch (error) {
    if (error instanceof TlsIdentityError) return { problem: error.message };
    throw error;
  }
}
