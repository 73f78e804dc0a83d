/** A number whose text says more than a JavaScript number keeps: beyond 2^53, `1.0`, `-0`, `1e3`. */
export interface NumberText {
  readonly rawJSON: string;
}

/** What a JSON text can hold. Numbers are plain where that loses nothing. */
export type Json = null | boolean | number | string | NumberText | readonly Json[] | { readonly [key: string]: Json };

/** Node has these already; the compiler's library does not know them yet. */
const JsonWithSource = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): Json;
  rawJSON(text: string): NumberText;
};

/**
 * Reads JSON so that two values are deeply equal exactly when their numbers were written alike, and so that
 * `JSON.stringify` gives every number back as it was.
 */
export function parseLossless(text: string): Json {
  return JsonWithSource.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? JsonWithSource.rawJSON(source)
      : value,
  );
}

/** An integer beyond 2^53 for a message. */
export function exactInteger(value: bigint): NumberText {
  return JsonWithSource.rawJSON(String(value));
}

/** The value as an object, or an error that names what should have been one. */
export function asObject(value: Json | undefined, what: string): { readonly [key: string]: Json } {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as { readonly [key: string]: Json };
}

/** The value as a list, or an error that names what should have been one. */
export function asList(value: Json | undefined, what: string): readonly Json[] {
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  return value;
}
