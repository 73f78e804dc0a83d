// Makes the tables of settings and commands in the pages that have them, in both languages:
//   node test/docs/reference-tables.ts --write
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SETTINGS } from '../../src/config/config.ts';
import type { Setting } from '../../src/config/setting.ts';
import { ALL_COMMANDS } from './all-commands.ts';
import { commandMeaning, groupTitle, type Language, missingWords, settingWords } from './reference-words.ts';

const ROOT = path.join(import.meta.dirname, '../..');

/** A page with tables that are made from the code. */
export interface ReferencePage {
  readonly file: string;
  readonly language: Language;
  readonly tables: 'settings' | 'official settings' | 'commands';
}

/** Settings that the official server has too: the README explains them, and leaves the others to a page of their own. */
export const OFFICIAL_SETTINGS: readonly string[] = [
  'SYNC_USER1, SYNC_USER2, …',
  'PASSWORDS_HASHED',
  'SYNC_BASE',
  'SYNC_HOST',
  'SYNC_PORT',
  'MAX_SYNC_PAYLOAD_MEGS',
  'SYNC_IP_HEADER',
];

export const REFERENCE_PAGES: readonly ReferencePage[] = [
  { file: 'README.md', language: 'en', tables: 'official settings' },
  { file: 'README.ja.md', language: 'ja', tables: 'official settings' },
  { file: 'docs/configuration.md', language: 'en', tables: 'settings' },
  { file: 'docs/ja/configuration.md', language: 'ja', tables: 'settings' },
  { file: 'docs/operate.md', language: 'en', tables: 'commands' },
  { file: 'docs/ja/operate.md', language: 'ja', tables: 'commands' },
];

const BEGIN = '<!-- Made by: node test/docs/reference-tables.ts --write -->';
const END = '<!-- Made until here. -->';

/** The page with its tables as they should be. Throws when the marks are not there. */
export async function withTables(text: string, { file, language, tables }: ReferencePage): Promise<string> {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${file} needs the lines ${BEGIN} and ${END}`);
  const made = await tablesOf(tables, language);
  return `${text.slice(0, begin)}${BEGIN}\n\n${made}\n\n${text.slice(end)}`;
}

/** Which words are missing for the tables. One line each, with the remedy. */
export async function missingReferenceWords(): Promise<readonly string[]> {
  return missingWords((await settingGroups()).map(({ name }) => name));
}

/** The row of a setting in a table. */
export function settingRow(setting: Setting, language: Language): string {
  const { byDefault, meaning } = settingWords(setting, language);
  return row(asCode(setting.name), byDefault, meaning);
}

async function tablesOf(tables: ReferencePage['tables'], language: Language): Promise<string> {
  switch (tables) {
    case 'settings': {
      const groups = await settingGroups();
      const parts = groups.map(({ name, settings }) => [
        `### ${groupTitle(name, language)}`,
        settingTable(settings, language),
      ]);
      return parts.flat().join('\n\n');
    }
    case 'official settings':
      return settingTable(
        SETTINGS.filter(({ name }) => OFFICIAL_SETTINGS.includes(name)),
        language,
      );
    case 'commands':
      return commandTable(language);
    default:
      return tables satisfies never;
  }
}

function settingTable(settings: readonly Setting[], language: Language): string {
  const head = language === 'en' ? row('Variable', 'Default', 'Meaning') : row('変数', '既定値', '意味');
  return [head, '|---|---|---|', ...settings.map((setting) => settingRow(setting, language))].join('\n');
}

function commandTable(language: Language): string {
  const head = language === 'en' ? row('Command', 'What it does') : row('コマンド', 'すること');
  const rows = ALL_COMMANDS.map((command) => row(`\`${command.synopsis}\``, commandMeaning(command, language)));
  return [head, '|---|---|', ...rows].join('\n');
}

/** The settings of one file in `src/config/`. */
interface Group {
  readonly name: string;
  readonly settings: readonly Setting[];
}

/** In the order of `SETTINGS`. */
async function settingGroups(): Promise<readonly Group[]> {
  const files = globSync('src/config/*-settings.ts', { cwd: ROOT });
  const groups = await Promise.all(
    files.map(async (file) => {
      const exported: Record<string, unknown> = await import(path.join(ROOT, file));
      const lists = Object.values(exported).filter((value) => Array.isArray(value));
      const settings = SETTINGS.filter((setting) => lists.some((list) => list.includes(setting)));
      return { name: path.basename(file, '.ts'), settings };
    }),
  );
  const place = ({ settings }: Group) => SETTINGS.findIndex((setting) => settings.includes(setting));
  return groups.filter(({ settings }) => settings.length > 0).toSorted((a, b) => place(a) - place(b));
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** A list of names, each between backticks. */
function asCode(names: string): string {
  return names.replaceAll(/[A-Z][A-Z_\d]*/g, '`$&`');
}

if (process.argv[2] === '--write') {
  for (const page of REFERENCE_PAGES) {
    const target = path.join(ROOT, page.file);
    writeFileSync(target, await withTables(readFileSync(target, 'utf8'), page));
  }
  for (const line of await missingReferenceWords()) console.error(line);
}
