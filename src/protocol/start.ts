import { unburyOnNewDay } from '../collection/day-start.ts';
import type { JsonValue } from '../collection/format/json.ts';
import { applyGraves, type Graves, gravesSince } from '../collection/graves.ts';
import { countObjectsIn } from '../collection/sync-ended.ts';
import { clientIsAhead } from '../collection/sync-session.ts';
import { gravesToJson, readLegacyGraves } from './graves.ts';
import { type MessageHandler, requireSessionKey, undoingOnFailure } from './handler.ts';
import { parseMessage } from './payload.ts';
import { asBoolean, asInt32, asObject } from './shape.ts';

interface StartContent {
  readonly clientUsn: number;
  readonly clientIsNewer: boolean;
  /** Desktop 2.0 and AnkiDroid up to 2.16 send their deletions here and never call `applyGraves`. */
  readonly graves: Graves | undefined;
}

/** `start`: begins a sync and tells what was deleted since the client's last one. */
export const answerStart: MessageHandler = (message, collection, context) => {
  const content = readStart(parseMessage(message.payload, context.inflatedBytesMax));
  requireSessionKey(message);
  const { sessionKey, clientVersion } = message;
  const { clientUsn, clientIsNewer } = content;
  const work = collection.begin({ sessionKey, clientVersion, clientUsn, clientIsNewer }, context.nowMs);
  return undoingOnFailure(collection, message, () => {
    if (clientIsAhead(work.session)) {
      const seen = { user: message.folder.user, clientUsn, serverUsn: work.session.serverUsn };
      collection.log.warn(
        seen,
        'A client has seen more than the collection holds: was an older copy restored? Full sync next',
      );
    }
    unburyOnNewDay(work);
    const answer = gravesSince(work, clientUsn);
    const { notes, cards, decks } = answer;
    countObjectsIn(work.tally.got, { deletions: notes.length + cards.length + decks.length });
    if (content.graves !== undefined) applyGraves(work, content.graves);
    return gravesToJson(answer);
  });
};

function readStart(value: JsonValue): StartContent {
  const body = asObject(value, 'the message');
  const graves = body['graves'];
  return {
    clientUsn: asInt32(body['minUsn'], 'minUsn'),
    clientIsNewer: asBoolean(body['lnewer'], 'lnewer'),
    graves: graves === undefined || graves === null ? undefined : readLegacyGraves(graves),
  };
}
