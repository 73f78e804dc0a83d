import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SETTINGS } from '../../src/config/config.ts';
import type { Setting } from '../../src/config/setting.ts';
import { ALL_COMMANDS, type DocumentedCommand } from './all-commands.ts';

export type Language = 'en' | 'ja';

/** What the code does not have: titles for groups of settings, and Japanese words for each setting and command. */
interface ReferenceWords {
  /** By the name of the file in `src/config/`: English and Japanese. */
  readonly groups: Readonly<Record<string, readonly [string, string]>>;
  /** By the name of the setting. */
  readonly settings: Readonly<Record<string, Translated<'byDefault' | 'meaning'>>>;
  /** By the name of the command. */
  readonly commands: Readonly<Record<string, Translated<'meaning'>>>;
}

/** `of` is the English that was translated, so that a change of that is noticed. */
type Translated<Keys extends string> = Readonly<Record<Keys | 'of', string>>;

const FILE = 'reference-words.json';
const words: ReferenceWords = JSON.parse(readFileSync(path.join(import.meta.dirname, FILE), 'utf8'));

/** The title of the settings of a file in `src/config/`; the name of the file when it has none yet. */
export function groupTitle(group: string, language: Language): string {
  return words.groups[group]?.[language === 'en' ? 0 : 1] ?? group;
}

/** The words for a setting, in English when there are no Japanese ones yet. */
export function settingWords(setting: Setting, language: Language): Pick<Setting, 'byDefault' | 'meaning'> {
  return (language === 'ja' && words.settings[setting.name]) || setting;
}

/** What a command does, in English when there are no Japanese words yet. */
export function commandMeaning(command: DocumentedCommand, language: Language): string {
  return (language === 'ja' && words.commands[command.name]?.meaning) || command.meaning;
}

/** Which words are missing, or translate something that has changed. One line each, with the remedy. */
export function missingWords(groups: readonly string[]): readonly string[] {
  const settings = new Map(SETTINGS.map((setting) => [setting.name, `${setting.byDefault} | ${setting.meaning}`]));
  const commands = new Map(ALL_COMMANDS.map((command) => [command.name, command.meaning]));
  return [
    ...groups
      .filter((name) => words.groups[name] === undefined)
      .map((name) => `${FILE}: "groups" needs "${name}": ["English title", "Japanese title"]`),
    ...untranslated('settings', settings, words.settings),
    ...untranslated('commands', commands, words.commands),
  ];
}

function untranslated(
  kind: string,
  english: ReadonlyMap<string, string>,
  japanese: Readonly<Record<string, { readonly of: string }>>,
): readonly string[] {
  const missing = [...english].filter(([name, text]) => japanese[name]?.of !== text);
  const left = Object.keys(japanese).filter((name) => !english.has(name));
  return [
    ...missing.map(([name, text]) => `${FILE}: "${kind}" needs "${name}" with "of": ${JSON.stringify(text)}`),
    ...left.map((name) => `${FILE}: "${kind}" has "${name}", which is not in the code any more`),
  ];
}
