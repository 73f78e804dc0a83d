import { type DescField, type DescMessage, fromBinary, type Message, ScalarType, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FormatError } from './format-error.ts';

/**
 * Reads a blob of the collection; zero bytes are a message of zero values. Fields that this release does not know are
 * kept in the message. Throws `FormatError` for what Anki's reader refuses; `what` names the blob in the message.
 */
export function decodeBlob<M extends Message>(schema: GenMessage<M>, blob: Uint8Array, what: string): M {
  try {
    checkWireTypes(schema, new BinaryReader(blob), blob.byteLength);
    return fromBinary(schema, blob) as M;
  } catch (cause) {
    throw new FormatError(`The ${what} is not a valid ${schema.name}`, { cause });
  }
}

/** The bytes that Anki would write: known fields in order of their numbers, then fields that we do not know. */
export function encodeBlob<M extends Message>(schema: GenMessage<M>, message: M): Uint8Array<ArrayBuffer> {
  return toBinary(schema, message);
}

/** Takes over the fields that only a newer release of Anki knows, from the message that `message` replaces. */
export function keepUnknownFields<M extends Message>(message: M, replaced: M | undefined): M {
  if (replaced?.$unknown !== undefined) message.$unknown = replaced.$unknown;
  return message;
}

const varintBytesMax = 10;
const fieldsByNumber = new WeakMap<DescMessage, Map<number, DescField>>();

/** The library trusts the sender to use the declared types and to end messages at field borders. Anki's does not. */
function checkWireTypes(schema: DescMessage, reader: BinaryReader, end: number): void {
  const fields = fieldsOf(schema);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field !== undefined && !takesWireType(field, wireType)) {
      throw new Error(`field ${number} has wire type ${wireType}`);
    }
    if (field?.message !== undefined) {
      const length = reader.uint32();
      checkWireTypes(field.message, reader, reader.pos + length);
    } else {
      const data = reader.skip(wireType, number);
      if (wireType === WireType.Varint && data.length > varintBytesMax) throw new Error('varint is too long');
    }
  }
  if (reader.pos !== end) throw new Error('a field goes past the end of its message');
}

function fieldsOf(schema: DescMessage): Map<number, DescField> {
  let fields = fieldsByNumber.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    fieldsByNumber.set(schema, fields);
  }
  return fields;
}

function takesWireType(field: DescField, wireType: WireType): boolean {
  if (field.message !== undefined) return wireType === WireType.LengthDelimited;
  const isPackable = field.fieldKind === 'list';
  return wireType === scalarWireType(field.scalar) || (isPackable && wireType === WireType.LengthDelimited);
}

function scalarWireType(scalar: ScalarType | undefined): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FLOAT:
      return WireType.Bit32;
    default:
      return WireType.Varint; // The schema has no other kinds.
  }
}
