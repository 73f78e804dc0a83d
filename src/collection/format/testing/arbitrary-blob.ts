import { create, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import fc from 'fast-check';
import { encodeBlob } from '../blobs.ts';

const i32Max = 2 ** 31 - 1;

/** Any blob of a message, unknown keys included; without the fields in `leftOut`, by their names in the code. */
export function arbitraryBlob<M extends Message>(schema: GenMessage<M>, leftOut: readonly string[] = []) {
  return arbitraryMessage(schema, leftOut).map((message) => encodeBlob<Message>(schema, message));
}

function arbitraryMessage(schema: DescMessage, leftOut: readonly string[]): fc.Arbitrary<Message> {
  const fields = schema.fields.filter((field) => !leftOut.includes(field.localName));
  const [oneof] = schema.oneofs.filter((one) => one.fields.length > 1);
  if (oneof !== undefined) {
    const cases = oneof.fields.map((field) =>
      arbitraryField(field, leftOut).map((value) =>
        create(schema, { [oneof.localName]: { case: field.localName, value } }),
      ),
    );
    return fc.oneof(...cases);
  }
  const members = fields.map((field) => [field.localName, arbitraryField(field, leftOut)] as const);
  return fc.record(Object.fromEntries(members), { requiredKeys: [] }).map((values) => create(schema, values));
}

function arbitraryField(field: DescField, leftOut: readonly string[]): fc.Arbitrary<unknown> {
  const one = field.message === undefined ? arbitraryScalar(field.scalar) : arbitraryMessage(field.message, leftOut);
  return field.fieldKind === 'list' ? fc.array<unknown>(one, { maxLength: 3 }) : one;
}

/** Integers stay within what the JSON form can hold; wrapping has tests of its own. */
function arbitraryScalar(scalar: ScalarType | undefined): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.STRING:
      return fc.string({ unit: 'grapheme' });
    case ScalarType.BYTES:
      return fc
        .oneof(fc.constantFrom('', 'no json', '{"a":1.0,"__proto__":{"b":[null]},"name":5}'), fc.json())
        .map((text) => Buffer.from(text));
    case ScalarType.FLOAT:
      // No -0: as a single value it comes back as 0.
      return fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    case ScalarType.INT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.INT32:
      return fc.oneof(fc.nat({ max: 5 }), fc.integer({ min: -i32Max, max: i32Max }));
    default:
      return fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: i32Max }));
  }
}
