import { ALL_COMMANDS } from './all-commands.ts';
import { codeBlocks, codeSpans, read } from './pages.ts';

/** Programs that take the server's name for that of a service, an account or a package. */
const OTHER_PROGRAMS =
  /\b(?:systemctl|journalctl|systemd-\w+|apt(?:-get)?|dpkg|npm (?!exec)|launchctl|schtasks|useradd|install|cp|mv|tar|cd|docker (?!run|exec)|podman (?!run|exec))\b/;
const FLAGS = ['--help', '--version', '--healthcheck'];

/** What follows the name of the server wherever it is called, in the code of a page. */
export function commandsIn(text: string): readonly (readonly string[])[] {
  const code = [...codeSpans(text), ...codeBlocks(text).flatMap((block) => block.code.split('\n'))];
  return code
    .filter((line) => !line.trimStart().startsWith('#'))
    .flatMap((line) => line.split(/&&|\|\||[;|](?![^<]*>)/))
    .filter((part) => !OTHER_PROGRAMS.test(part.split('anki-sync-server')[0] ?? ''))
    .flatMap((part) => {
      const [, rest] = /^(?:.*[\s/"])?anki-sync-server(?:-ts)?(?:\.exe)?((?:\s.*)?)$/.exec(part) ?? [];
      return rest === undefined ? [] : [wordsOf(rest)];
    });
}

/** Why it would not run; undefined when it would. */
export function problemOfCommand(words: readonly string[]): string | undefined {
  const [first] = words;
  if (first === undefined) return undefined;
  if (first.startsWith('-')) {
    return FLAGS.includes(first) && read('src/cli/command-line.ts').includes(first) ? undefined : 'no such flag';
  }
  const command = ALL_COMMANDS.find(({ name }) => name.split(' ').every((word, at) => words[at] === word));
  if (command === undefined) return 'there is no such command';
  const wrong = words.find((word) => word.startsWith('--') && !command.options.includes(word.slice(2)));
  return wrong === undefined ? undefined : `there is no option ${wrong}`;
}

/** Words up to a redirection, a comment or what only stands for words. */
function wordsOf(text: string): readonly string[] {
  const words = text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const end = words.findIndex((word) => /^(?:\d?[<>]\S*|#.*|[[\]…].*)$/.test(word) && !/^<\w/.test(word));
  return end === -1 ? words : words.slice(0, end);
}
