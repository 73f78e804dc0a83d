import { create } from '@bufbuild/protobuf';
import { decodeBlob, encodeBlob, keepUnknownFields } from './blobs.ts';
import { FormatError } from './format-error.ts';
import { isJsonObject, type JsonObject, type JsonValue, jsonInteger } from './json.ts';
import { assertNamesDiffer } from './names-differ.ts';
import { keySet, readOther, withoutKeys, writeOther } from './other-keys.ts';
import {
  type CardRequirement,
  CardRequirementSchema,
  FieldConfigSchema,
  NotetypeConfigSchema,
  TemplateConfigSchema,
} from './proto/collection_pb.ts';
import {
  asBool,
  asBoolFromAnything,
  asI32,
  asI64,
  asI64OrText,
  asSecs,
  asText,
  asU8,
  asU16,
  asU32,
  type Check,
  integer,
  listOf,
  ObjectReader,
  orNull,
} from './read-object.ts';

/** A row of `notetypes` with its rows of `fields` and `templates`, both in order of `ord`. */
export interface Notetype {
  readonly id: bigint;
  readonly name: string;
  readonly mtimeSecs: number;
  readonly usn: number;
  /** Protobuf, `NotetypeConfig`. */
  readonly config: Uint8Array;
  readonly fields: readonly NotetypeField[];
  readonly templates: readonly NotetypeTemplate[];
}

/** A row of `fields`. */
export interface NotetypeField {
  readonly ord: number;
  readonly name: string;
  /** Protobuf, `FieldConfig`. */
  readonly config: Uint8Array;
}

/** A row of `templates`. The JSON form carries neither time nor usn: both are 0 in what comes from it. */
export interface NotetypeTemplate {
  readonly ord: number;
  readonly name: string;
  readonly mtimeSecs: number;
  readonly usn: number;
  /** Protobuf, `TemplateConfig`. */
  readonly config: Uint8Array;
}

const notetypeKeys = keySet(
  'id name type mod usn sortf did tmpls flds css latexPre latexPost latexsvg req originalStockKind originalId',
);
const fieldKeys = keySet(
  'name ord sticky rtl font size description plainText collapsed excludeFromSearch id tag preventDeletion',
);
const templateKeys = keySet('name ord qfmt afmt bqfmt bafmt did bfont bsize id');
const requirementKinds: readonly string[] = ['none', 'any', 'all'];

const u8Mask = 0xff;
const u16Mask = 0xffff;

/** The JSON form of schema 11, as messages and old files carry it. Throws `FormatError` if a blob cannot be read. */
export function notetypeToJson(notetype: Notetype): JsonObject {
  const what = `notetype ${notetype.id}`;
  const config = decodeBlob(NotetypeConfigSchema, notetype.config, what);
  return {
    id: jsonInteger(notetype.id),
    name: notetype.name,
    type: config.kind === 1 ? 1 : 0,
    mod: notetype.mtimeSecs,
    usn: notetype.usn,
    sortf: config.sortFieldIdx & u16Mask,
    did: config.targetDeckIdUnused === 0n ? null : jsonInteger(config.targetDeckIdUnused),
    tmpls: notetype.templates.map((template) => templateToJson(template, what)),
    flds: notetype.fields.map((field) => fieldToJson(field, what)),
    css: config.css,
    latexPre: config.latexPre,
    latexPost: config.latexPost,
    latexsvg: config.latexSvg,
    req: config.reqs.map(requirementToJson),
    ...(config.originalStockKind === 0 ? {} : { originalStockKind: config.originalStockKind }),
    ...(config.originalId === undefined ? {} : { originalId: jsonInteger(config.originalId) }),
    ...readOther(config.other, notetypeKeys),
  };
}

/**
 * A notetype from its JSON form. `replaced` is the stored one, if any: what only a newer release of Anki knows about
 * it, its fields and templates stays. Throws `FormatError` for what clients could not parse, for the id 0, and for
 * fields or templates with equal names.
 */
export function notetypeFromJson(json: JsonValue, replaced?: Notetype): Notetype {
  const notetype = readNotetype(json, replaced);
  if (notetype.id === 0n) throw new FormatError('The notetype has the id 0');
  assertNamesDiffer(notetype.fields, `fields of notetype ${notetype.id}`);
  assertNamesDiffer(notetype.templates, `templates of notetype ${notetype.id}`);
  return notetype;
}

/** The same without a look at id and names: the conversion of whole files repairs both. */
export function readNotetype(json: JsonValue, replaced?: Notetype): Notetype {
  const read = new ObjectReader(json, 'notetype');
  const id = read.required('id', asI64OrText);
  const what = `notetype ${id}`;
  const config = create(NotetypeConfigSchema, {
    kind: read.required('type', integer(0, 1)),
    sortFieldIdx: read.required('sortf', asU16),
    targetDeckIdUnused: read.requiredLenient('did', asI64, 0n),
    css: read.requiredLenient('css', asText, ''),
    latexPre: read.optional('latexPre', asText, ''),
    latexPost: read.optional('latexPost', asText, ''),
    latexSvg: read.lenient('latexsvg', asBool, false),
    reqs: read.lenient('req', listOf(asRequirement), []),
    originalStockKind: read.optional('originalStockKind', asI32, 0),
    other: writeOther(withoutKeys(read.object, notetypeKeys)),
  });
  const originalId = read.optional('originalId', orNull(asI64), null);
  if (originalId !== null) config.originalId = originalId;
  if (replaced !== undefined) {
    const stored = decodeBlob(NotetypeConfigSchema, replaced.config, `stored ${what}`);
    keepUnknownFields(config, stored);
    for (const requirement of config.reqs) {
      keepUnknownFields(
        requirement,
        stored.reqs.find((one) => one.cardOrd === requirement.cardOrd),
      );
    }
  }
  return {
    id,
    name: read.required('name', asText),
    mtimeSecs: read.required('mod', asSecs),
    usn: read.required('usn', asI32),
    config: encodeBlob(NotetypeConfigSchema, config),
    fields: readFields(read.required('flds', asList), what, replaced?.fields ?? []),
    templates: readTemplates(read.required('tmpls', asList), what, replaced?.templates ?? []),
  };
}

function fieldToJson(field: NotetypeField, notetype: string): JsonObject {
  const config = decodeBlob(FieldConfigSchema, field.config, `field ${field.ord} of ${notetype}`);
  return {
    name: field.name,
    ord: field.ord & u16Mask,
    sticky: config.sticky,
    rtl: config.rtl,
    font: config.fontName,
    size: config.fontSize & u16Mask,
    description: config.description,
    plainText: config.plainText,
    collapsed: config.collapsed,
    excludeFromSearch: config.excludeFromSearch,
    id: config.id === undefined ? null : jsonInteger(config.id),
    tag: config.tag ?? null,
    preventDeletion: config.preventDeletion,
    ...readOther(config.other, fieldKeys),
  };
}

function templateToJson(template: NotetypeTemplate, notetype: string): JsonObject {
  const config = decodeBlob(TemplateConfigSchema, template.config, `template ${template.ord} of ${notetype}`);
  return {
    name: template.name,
    ord: template.ord & u16Mask,
    qfmt: config.qFormat,
    afmt: config.aFormat,
    bqfmt: config.qFormatBrowser,
    bafmt: config.aFormatBrowser,
    did: config.targetDeckId > 0n ? jsonInteger(config.targetDeckId) : null,
    bfont: config.browserFontName,
    bsize: config.browserFontSize & u8Mask,
    id: config.id === undefined ? null : jsonInteger(config.id),
    ...readOther(config.other, templateKeys),
  };
}

function readFields(list: JsonValue[], notetype: string, replaced: readonly NotetypeField[]): NotetypeField[] {
  const stored = replaced.map((one) => decodeBlob(FieldConfigSchema, one.config, `stored field of ${notetype}`));
  return list.map((json, ord) => {
    const read = new ObjectReader(json, `field ${ord} of ${notetype}`);
    read.optional('ord', orNull(asU16), null); // Only its type matters: the position in the list counts.
    const config = create(FieldConfigSchema, {
      sticky: read.required('sticky', asBoolFromAnything),
      rtl: read.required('rtl', asBoolFromAnything),
      fontName: read.required('font', asText),
      fontSize: read.required('size', asU16),
      description: read.lenient('description', asText, ''),
      plainText: read.lenient('plainText', asBool, false),
      collapsed: read.lenient('collapsed', asBool, false),
      excludeFromSearch: read.lenient('excludeFromSearch', asBool, false),
      preventDeletion: read.lenient('preventDeletion', asBool, false),
      other: writeOther(withoutKeys(read.object, fieldKeys)),
    });
    const id = read.lenient('id', asI64, undefined);
    const tag = read.lenient('tag', asU32, undefined);
    if (id !== undefined) config.id = id;
    if (tag !== undefined) config.tag = tag;
    keepUnknownFields(config, sameItem(id, ord, stored));
    return { ord, name: read.required('name', asText), config: encodeBlob(FieldConfigSchema, config) };
  });
}

function readTemplates(list: JsonValue[], notetype: string, replaced: readonly NotetypeTemplate[]): NotetypeTemplate[] {
  const stored = replaced.map((one) => decodeBlob(TemplateConfigSchema, one.config, `stored template of ${notetype}`));
  return list.map((json, ord) => {
    const read = new ObjectReader(json, `template ${ord} of ${notetype}`);
    read.optional('ord', orNull(asU16), null); // Only its type matters: the position in the list counts.
    const config = create(TemplateConfigSchema, {
      qFormat: read.required('qfmt', asText),
      aFormat: read.optional('afmt', asText, ''),
      qFormatBrowser: read.optional('bqfmt', asText, ''),
      aFormatBrowser: read.optional('bafmt', asText, ''),
      targetDeckId: read.lenient('did', asI64, 0n),
      browserFontName: read.lenient('bfont', asText, ''),
      browserFontSize: read.lenient('bsize', asU8, 0),
      other: writeOther(withoutKeys(read.object, templateKeys)),
    });
    const id = read.lenient('id', asI64, undefined);
    if (id !== undefined) config.id = id;
    keepUnknownFields(config, sameItem(id, ord, stored));
    return {
      ord,
      name: read.required('name', asText),
      mtimeSecs: 0,
      usn: 0,
      config: encodeBlob(TemplateConfigSchema, config),
    };
  });
}

/** The stored field or template that an incoming one continues: the same random id, or the same place without ids. */
function sameItem<T extends { readonly id?: bigint | undefined }>(
  id: bigint | undefined,
  ord: number,
  stored: readonly T[],
): T | undefined {
  if (id !== undefined) return stored.find((item) => item.id === id);
  const inPlace = stored[ord];
  return inPlace?.id === undefined ? inPlace : undefined;
}

function requirementToJson(requirement: CardRequirement): JsonValue {
  return [
    requirement.cardOrd & u16Mask,
    requirementKinds[requirement.kind] ?? 'none',
    requirement.fieldOrds.map((ord) => ord & u16Mask),
  ];
}

/** `[template, "any", [fields]]`, or the same as an object with names. */
function asRequirement(value: JsonValue): CardRequirement | undefined {
  const parts = isJsonObject(value) ? [value.card_ord, value.kind, value.field_ords] : value;
  if (!Array.isArray(parts) || parts.length !== 3) return undefined;
  const cardOrd = asU16(parts[0] ?? null);
  const kind = requirementKinds.indexOf(asText(parts[1] ?? null) ?? '');
  const fieldOrds = listOf(asU16)(parts[2] ?? null);
  if (cardOrd === undefined || kind === -1 || fieldOrds === undefined) return undefined;
  return create(CardRequirementSchema, { cardOrd, kind, fieldOrds });
}

const asList: Check<JsonValue[]> = (value) => (Array.isArray(value) ? value : undefined);
