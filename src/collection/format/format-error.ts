/**
 * Data that is not in Anki's format: JSON that does not parse, an object without a required key, a blob that is no
 * protobuf, a row with a text where a blob belongs. Whoever knows where the data came from turns it into a refusal:
 * `malformedRequest` or `collectionInconsistent` for a message, "corrupt" for an uploaded file, a fault for our own.
 */
export class FormatError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FormatError';
  }
}
