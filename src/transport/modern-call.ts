import { SyncError } from '../errors.ts';
import { loginBytesMax } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { inflateZstd } from '../storage/zstd.ts';
import type { UserFolder } from '../user-folder.ts';
import { ByteCollector, readBody } from './body-reader.ts';
import { strangerBytesMax, strangerInflatedBytesMax } from './http-limits.ts';
import {
  type CallContext,
  type IncomingCall,
  isFileMethod,
  type OpenCall,
  receiveFile,
  receiveZip,
  sentBytesMax,
  tooLong,
  unknownHostKey,
} from './incoming-call.ts';
import type { InflatedFile } from './inflated-file.ts';
import type { InflatedZip } from './inflated-zip.ts';
import { parseSyncHeader } from './sync-header.ts';

/** Reads a request of sync version 11: a header that says who is there, and a zstd body. */
export async function readModernCall(call: OpenCall, headerText: string, context: CallContext): Promise<IncomingCall> {
  const { syncVersion, hostKey, sessionKey, clientVersion } = parseSyncHeader(headerText);
  call.identify({ sessionKey, clientVersion });
  // A header with an older version asks for plain answers. No client does it; the official server has it so.
  const dress = syncVersion < 11 ? 'legacy' : 'modern';
  const { method } = call;
  if (method === 'hostKey') return { kind: 'login', dress, payload: await collect(call, loginBytesMax, context) };
  const account = context.accounts.byHostKey(hostKey, { client: clientVersion, address: call.address });
  if (account === undefined) return refuseStranger(call, context);
  const { name, folder, deviceId } = account;
  call.identify({ user: name, deviceId, hostKey });
  const payload = await readPayload(call, folder, context);
  if (payload === 'tooLarge') return { kind: 'uploadTooLarge', dress };
  return { kind: 'message', message: { folder, method, dress, payload, hostKey, sessionKey, clientVersion } };
}

function readPayload(call: OpenCall, folder: UserFolder, context: CallContext): Promise<Payload | 'tooLarge'> {
  const { method } = call;
  const bytesMax = sentBytesMax(method, context);
  if (!isFileMethod(method)) return collect(call, bytesMax, context);
  const readInto = (target: InflatedFile | InflatedZip): Promise<number> =>
    readBody(call.request, {
      bytesMax,
      stalledMsMax: context.stalledMsMax,
      tooLong: () => tooLong(bytesMax),
      take: (piece) => target.take(piece),
      failure: target.failure,
    });
  if (method === 'uploadChanges') return receiveZip(folder, context, readInto);
  return receiveFile({ method, folder, coding: 'zstd' }, context, readInto);
}

async function collect(
  call: OpenCall,
  bytesMax: number,
  context: CallContext,
  tooLongError = () => tooLong(bytesMax),
): Promise<Payload & { kind: 'bytes' }> {
  const body = new ByteCollector();
  await readBody(call.request, {
    bytesMax,
    stalledMsMax: context.stalledMsMax,
    tooLong: tooLongError,
    take: (piece) => body.take(piece),
  });
  if (body.byteLength === 0) throw new SyncError('malformedRequest', 'Cannot read the request: it has no body');
  return { kind: 'bytes', bytes: body.release(), coding: 'zstd' };
}

/**
 * What an unknown host key hears: as in the official server a body that does not decompress is told first. Only a
 * little of it is looked at, and nothing is kept.
 */
async function refuseStranger(call: OpenCall, context: CallContext): Promise<never> {
  const { bytes } = await collect(call, strangerBytesMax, context, unknownHostKey);
  try {
    inflateZstd(bytes, { bytesMax: strangerInflatedBytesMax });
  } catch (error) {
    const isMuch = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    if (!isMuch) throw new SyncError('malformedRequest', 'Cannot decompress the request', { cause: error });
  }
  throw unknownHostKey();
}
