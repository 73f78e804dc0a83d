import { SyncError } from '../errors.ts';
import { KiB, loginBytesMax } from '../limits.ts';
import type { Message, Payload } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';
import { readBody } from './body-reader.ts';
import { type Form, FormReader } from './form-reader.ts';
import {
  type CallContext,
  type IncomingCall,
  isFileMethod,
  type OpenCall,
  receiveFile,
  sentBytesMax,
  tooLong,
  unknownHostKey,
} from './incoming-call.ts';
import type { Coding } from './inflated-file.ts';
import { Spool } from './spool.ts';

/** Room for the parts of a form besides its payload, bytes. */
const formOverheadBytesMax = 64 * KiB;

/**
 * Reads a request of sync versions 8 to 10: a form. Field order differs by client, so everything is read before any of
 * it is used; see `FormReader`.
 */
export async function readLegacyCall(call: OpenCall, contentType: string, context: CallContext): Promise<IncomingCall> {
  await using reader = new FormReader(contentType, (fields) => openSpool(call, fields, context));
  const bytesMax = formBytesMax(call, context);
  await readBody(call.request, {
    bytesMax,
    stalledMsMax: context.stalledMsMax,
    tooLong: () => formTooLong(call, bytesMax),
    take: (piece) => reader.take(piece),
    failure: reader.failure,
  });
  return await openForm(call, await reader.finish(), context); // The payload lives as long as the reader.
}

/** `begin` of Rust clients (2.1.22 to 2.1.56): a GET with a query in place of a form. */
export function readBeginQuery(call: OpenCall, query: URLSearchParams, context: CallContext): IncomingCall {
  const [hostKey, clientVersion] = [query.get('k'), query.get('v')];
  if (hostKey === null || clientVersion === null) {
    throw new SyncError('malformedRequest', 'Cannot begin: the address needs k and v');
  }
  const account = context.accounts.byHostKey(hostKey, { client: clientVersion, address: call.address });
  if (account === undefined) throw unknownHostKey();
  call.identify({ user: account.name, deviceId: account.deviceId, clientVersion, hostKey });
  const message = { folder: account.folder, dress: 'legacy', payload: emptyObject(), hostKey, clientVersion } as const;
  return { kind: 'message', message: { ...message, method: 'begin', sessionKey: '' } };
}

async function openForm(call: OpenCall, form: Form, context: CallContext): Promise<IncomingCall> {
  const { method } = call;
  const { fields } = form;
  const sessionKey = fields.get('s') ?? '';
  const clientVersion = fields.get('v') ?? '';
  call.identify({ sessionKey, clientVersion });
  if (method === 'hostKey') {
    return { kind: 'login', dress: 'legacy', payload: await bytesPayload(form, loginBytesMax) };
  }
  const hostKey = hostKeyIn(fields) ?? '';
  const account = context.accounts.byHostKey(hostKey, { client: clientVersion, address: call.address });
  if (account === undefined) throw unknownHostKey();
  const { name, folder, deviceId } = account;
  call.identify({ user: name, deviceId, hostKey });
  const payload = isFileMethod(method)
    ? await filePayload(form, { method, folder }, context)
    : await bytesPayload(form, sentBytesMax(method, context));
  if (payload === 'tooLarge') return { kind: 'uploadTooLarge', dress: 'legacy' };
  const message: Message = { folder, method, dress: 'legacy', payload, hostKey, sessionKey, clientVersion };
  return { kind: 'message', message };
}

/** Where the payload goes while it arrives. A sender with a wrong host key is turned away here. */
function openSpool(call: OpenCall, fields: ReadonlyMap<string, string>, context: CallContext): Spool {
  const hostKey = hostKeyIn(fields);
  if (hostKey === undefined || call.method === 'hostKey') return new Spool(context.spoolRoom, false);
  if (context.accounts.byHostKey(hostKey) === undefined) throw unknownHostKey();
  return new Spool(context.spoolRoom, true);
}

/** Media requests send the host key as `sk`, because `begin` hands it out under that name. */
function hostKeyIn(fields: ReadonlyMap<string, string>): string | undefined {
  return fields.get('sk') ?? fields.get('k');
}

/** `c` is `1` from all clients that compress, `0` or absent from those that do not. */
function codingIn(fields: ReadonlyMap<string, string>): Coding {
  const flag = fields.get('c');
  return flag === undefined || flag === '0' ? 'identity' : 'gzip';
}

async function bytesPayload(form: Form, bytesMax: number): Promise<Payload> {
  if (form.payload === undefined || form.payload.byteLength === 0) return emptyObject();
  if (form.payload.byteLength > bytesMax) throw tooLong(bytesMax);
  return { kind: 'bytes', bytes: await form.payload.bytes(), coding: codingIn(form.fields) };
}

async function filePayload(
  { fields, payload }: Form,
  target: { readonly method: 'upload' | 'uploadChanges'; readonly folder: UserFolder },
  context: CallContext,
): Promise<Payload | 'tooLarge'> {
  return receiveFile({ ...target, coding: codingIn(fields) }, context, async (file) => {
    if (payload === undefined) return 0;
    const sentBytes = payload.byteLength;
    for await (const piece of payload.pieces()) await Promise.race([file.take(piece), file.failure]);
    return sentBytes;
  });
}

/** A missing payload means no arguments. */
function emptyObject(): Payload {
  return { kind: 'bytes', bytes: new TextEncoder().encode('{}'), coding: 'identity' };
}

function formBytesMax(call: OpenCall, context: CallContext): number {
  if (call.method === 'hostKey') return loginBytesMax + formOverheadBytesMax;
  return Math.min(context.payloadBytesMax, sentBytesMax(call.method, context) + formOverheadBytesMax);
}

function formTooLong(call: OpenCall, bytesMax: number): SyncError {
  if (call.method === 'hostKey') return tooLong(bytesMax);
  return new SyncError('malformedRequest', `Cannot read the form: longer than ${bytesMax} bytes`);
}
