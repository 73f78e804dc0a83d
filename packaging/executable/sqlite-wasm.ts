import { getAsset } from 'node:sea';
import init, { type Sqlite3Static } from '@sqlite.org/sqlite-wasm';

/** In a single executable: the WebAssembly lies within. Takes the place of the package's own entry. */
export default function initEmbedded(): Promise<Sqlite3Static> {
  // The typed entry takes no arguments; the code below it is Emscripten's, which asks for the bytes before any file.
  const withArguments = init as (options: { readonly wasmBinary: ArrayBuffer }) => Promise<Sqlite3Static>;
  return withArguments({ wasmBinary: getAsset('sqlite3.wasm') });
}
