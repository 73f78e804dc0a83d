/** One variable, for `--help` and the documentation. */
export interface Setting {
  readonly name: string;
  readonly byDefault: string;
  readonly meaning: string;
}

/** The variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The official server takes any value for a yes, also an empty one; a plain no is heard here. */
export function isYes(text: string | undefined): boolean {
  return text !== undefined && !/^(?:0|false|no|off)$/i.test(text.trim());
}

/** A value for a message, short and on one line. Never of a secret. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
