import { type JsonValue, stringifyJson } from '../../collection/format/json.ts';
import type { Answer } from '../message.ts';
import { type MovedMedia, nothingMoved } from '../report.ts';

/** A refusal in words. All clients end their media sync and show them; whatever they had to send is sent next time. */
export function mediaRefusal(text: string): Answer {
  const bytes = Buffer.from(stringifyJson({ data: null, err: text }));
  return { kind: 'bytes', bytes, report: { refusal: text } };
}

/**
 * A media answer: `data` beside an empty `err`. Legacy clients take any text in `err` for a failure and need both keys.
 * `moved` is for the log: given by the messages of a media sync, also when they moved nothing.
 */
export function mediaAnswer(data: JsonValue, moved?: Partial<MovedMedia>): Answer {
  const bytes = Buffer.from(stringifyJson({ data, err: '' }));
  return moved === undefined
    ? { kind: 'bytes', bytes }
    : { kind: 'bytes', bytes, report: { media: { ...nothingMoved, ...moved } } };
}
