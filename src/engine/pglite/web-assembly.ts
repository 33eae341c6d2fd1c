/** The two WebAssembly calls that Borealis makes, typed here: Node's own types lack them without the DOM's. */
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';

declare const wasmModuleTag: unique symbol;
/** A compiled module. It can be cloned to other threads. */
export type WasmModule = {readonly [wasmModuleTag]: true};
/** Module name to import name to function. */
export type WasmImports = Record<string, Record<string, (...values: never[]) => unknown>>;
export type WasmInstance = {readonly exports: object};

type Api = {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(module: WasmModule, imports: WasmImports): Promise<WasmInstance>;
};
const api = Reflect.get(globalThis, 'WebAssembly') as Api;

let compiled: Promise<WasmModule> | undefined;

/** PGlite's engine, compiled once a process and then shared with each worker. */
export function compileEngine(): Promise<WasmModule> {
  compiled ??= readFile(
    fileURLToPath(import.meta.resolve('@electric-sql/pglite/pglite.wasm')),
  ).then(bytes => api.compile(bytes));
  return compiled;
}

export function instantiate(module: WasmModule, imports: WasmImports): Promise<WasmInstance> {
  return api.instantiate(module, imports);
}
