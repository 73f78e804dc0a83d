import { type JsonValue, stringifyJson } from '../../collection/format/json.ts';
import type { Answer } from '../message.ts';

/** A media answer: `data` beside an empty `err`. Legacy clients take any text in `err` for a failure and need both keys. */
export function mediaAnswer(data: JsonValue): Answer {
  return { kind: 'bytes', bytes: Buffer.from(stringifyJson({ data, err: '' })) };
}
