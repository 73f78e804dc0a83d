import { type JsonValue, parseJsonBytes, stringifyJson } from '../collection/format/json.ts';
import { messageOf, SyncError } from '../errors.ts';
import { loginBytesMax } from '../limits.ts';
import type { Payload } from '../protocol/message.ts';
import { openPayload } from '../protocol/payload.ts';
import { asObject, asText } from '../protocol/shape.ts';
import type { Accounts } from './accounts.ts';
import type { Sighting } from './devices.ts';

/** The answer to `hostKey`, and who it was. */
export interface LoginAnswer {
  readonly user: string;
  readonly json: string;
}

/** All of `Accounts` that a login takes; others may stand before it. */
export type LoginAccounts = Pick<Accounts, 'login'>;

/**
 * `hostKey`: a name and a password become the key that authenticates all later messages. It is the one message that
 * needs no collection, so it is answered here, outside of every lane. Throws `hostKeyRejected` or `malformedRequest`.
 */
export async function answerHostKey(
  payload: Payload,
  accounts: LoginAccounts,
  sighting: Sighting = {},
): Promise<LoginAnswer> {
  const body = asObject(readLogin(payload), 'the message');
  const user = asText(body['u'], 'u');
  const hostKey = await accounts.login(user, asText(body['p'], 'p'), sighting);
  return { user, json: stringifyJson({ key: hostKey }) };
}

function readLogin(payload: Payload): JsonValue {
  const bytes = openPayload(payload, loginBytesMax);
  try {
    return parseJsonBytes(bytes);
  } catch (error) {
    throw new SyncError('malformedRequest', `Cannot log in: ${messageOf(error)}`, { cause: error });
  }
}
