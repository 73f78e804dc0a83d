import path from 'node:path';

/**
 * Where a thread finds its code. `source` names a TypeScript file; in the compiled program a JavaScript file lies in its
 * place. In a single executable, which has no files, the build puts another function here that takes the code from within.
 */
export function workerScript(source: URL): WorkerScript {
  const extension = path.extname(import.meta.filename);
  return {
    name: path.basename(source.pathname),
    script: new URL(source.href.replace(/\.ts$/, extension)),
    options: {},
  };
}

/** The first argument of a `Worker`, and what else it takes to run it. */
export interface WorkerScript {
  /** For the log. */
  readonly name: string;
  readonly script: URL | string;
  readonly options: { readonly eval?: boolean; readonly execArgv?: string[] };
}
