import type { Answer, Message } from '../protocol/message.ts';
import type { UserFolder } from '../user-folder.ts';

/** Where authenticated messages go: to the worker that owns the user's collection, one at a time for each user. */
export interface Dispatcher {
  /** Runs the message in the user's lane. Throws `SyncError` for refusals. */
  dispatch(message: Message): Promise<Answer>;
  /** The body of an upload has begun to arrive: time to make ready what will check it. */
  uploadBegins(): void;
  /** A streamed live file was sent, or its connection is gone. */
  release(user: UserFolder): void;
  /** Rolls open syncs back and checks collections in. Nothing is dispatched afterwards. */
  close(): Promise<void>;
}
