/** One instruction of a Dockerfile, continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** From one `FROM` to the next. */
export interface Stage {
  readonly image: string;
  /** Empty for one without a name. */
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** What `COPY` says. */
export interface Copy {
  /** A stage; undefined for the files beside the Dockerfile. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text.split('\n').filter((line) => !/^\s*(?:#|$)/.test(line));
  const instructions = lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map(parseInstruction);
  const stages: { image: string; name: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions) {
    if (instruction.name === 'FROM') {
      const [image = '', as, name = ''] = instruction.text.split(/\s+/);
      if (as !== undefined && as.toUpperCase() !== 'AS') throw new Error(`Not understood: FROM ${instruction.text}`);
      stages.push({ image, name, instructions: [] });
    } else {
      const stage = stages.at(-1);
      if (stage === undefined) throw new Error(`${instruction.name} stands before the first FROM`);
      stage.instructions.push(instruction);
    }
  }
  return stages;
}

function parseInstruction(line: string): Instruction {
  const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
  if (name === '') throw new Error(`Not understood: ${line}`);
  return { name, text };
}

export function parseCopy(text: string): Copy {
  const words = text.split(/\s+/);
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop();
  if (target === undefined || words.length === 0 || words.some((word) => word.startsWith('--'))) {
    throw new Error(`Not understood: COPY ${text}`);
  }
  return { from, sources: words, target };
}

/** `A=1 B=2` without quotes. */
export function parseEnv(text: string): Record<string, string> {
  const entries = text.split(/\s+/).map((pair): [string, string] => {
    const [, name, value] = /^(\w+)=([^"']*)$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) throw new Error(`Not understood: ENV ${text}`);
    return [name, value];
  });
  return Object.fromEntries(entries);
}

/** `["a", "b"]`: the form that needs no shell. */
export function parseExecForm(text: string): string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) throw new Error(`No list: ${text}`);
  return words;
}

/** Is a file left out by `.dockerignore`? Of its patterns, those that this project uses: the last that fits decides. */
export function isIgnored(patterns: readonly string[], file: string): boolean {
  let ignored = false;
  for (const pattern of patterns) {
    const isException = pattern.startsWith('!');
    if (fits(isException ? pattern.slice(1) : pattern, file)) ignored = !isException;
  }
  return ignored;
}

/** A pattern fits a path and all that lies below it. */
function fits(pattern: string, file: string): boolean {
  const names = (part: string) => part.split('*').map(RegExp.escape).join('[^/]*');
  return new RegExp(`^${pattern.split('**/').map(names).join('(?:.*/)?')}(?:/.*)?$`).test(file);
}
