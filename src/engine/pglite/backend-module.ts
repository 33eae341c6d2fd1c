/**
 * The part of PGlite's WebAssembly module that Borealis calls: exported C functions (leading
 * underscore), addresses of exported C variables, and emscripten's helpers. Pinned with
 * @electric-sql/pglite 0.5.16; `backendModule` says at start what a later build lacks.
 */
import type {PGlite} from '@electric-sql/pglite';
import {BorealisError} from '../../base/errors.ts';

export type BackendModule = {
  readonly HEAPU8: Uint8Array;
  readonly addFunction: (call: (pointer: number, length: number) => number, type: string) => number;
  readonly stackSave: () => number;
  readonly stackRestore: (stack: number) => void;
  readonly stringToUTF8OnStack: (text: string) => number;
  readonly _pgl_set_rw_cbs: (read: number, write: number) => void;
  readonly _PostgresMainLoopOnce: () => void;
  readonly _PostgresMainLongJmp: () => void;
  readonly _PostgresSendReadyForQueryIfNecessary: () => void;
  readonly _pgl_pq_flush: () => void;
  readonly _pq_buffer_remaining_data: () => number;
  readonly _StartTransactionCommand: () => void;
  readonly _CommitTransactionCommand: () => void;
  readonly _SetConfigOption: (name: number, value: number, context: number, source: number) => void;
  readonly _SetUserIdAndSecContext: (user: number, context: number) => void;
  readonly _GetSessionUserId: () => number;
  readonly _QueryCancelPending: number;
  readonly _InterruptPending: number;
  /** Of a pointer to the Latch. */
  readonly _MyLatch: number;
};

const FUNCTIONS: readonly (keyof BackendModule)[] = [
  'addFunction',
  'stackSave',
  'stackRestore',
  'stringToUTF8OnStack',
  '_pgl_set_rw_cbs',
  '_PostgresMainLoopOnce',
  '_PostgresMainLongJmp',
  '_PostgresSendReadyForQueryIfNecessary',
  '_pgl_pq_flush',
  '_pq_buffer_remaining_data',
  '_StartTransactionCommand',
  '_CommitTransactionCommand',
  '_SetConfigOption',
  '_SetUserIdAndSecContext',
  '_GetSessionUserId',
];
const ADDRESSES: readonly (keyof BackendModule)[] = [
  '_QueryCancelPending',
  '_InterruptPending',
  '_MyLatch',
];

export function backendModule(pglite: PGlite): BackendModule {
  const module = pglite.Module as unknown as BackendModule;
  const missing = [
    ...FUNCTIONS.filter(name => typeof module[name] !== 'function'),
    ...ADDRESSES.filter(name => typeof module[name] !== 'number'),
  ];
  if (missing.length > 0) {
    throw new BorealisError(
      'internal',
      'pglite-build',
      `this build of PGlite lacks what Borealis needs: ${missing.join(', ')}`,
    );
  }
  return module;
}
