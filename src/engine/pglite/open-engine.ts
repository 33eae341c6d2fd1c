/** Opens PGlite on a volume's file system with the settings on which Borealis's promises rest. */
import {PGlite} from '@electric-sql/pglite';
import type {Extensions, PGliteOptions} from '@electric-sql/pglite';
import {amcheck} from '@electric-sql/pglite/contrib/amcheck';
import {VolumeFilesystem} from '../../attachment/pglite/volume-filesystem.ts';
import type {VolumeFilesystemOptions} from '../../attachment/pglite/volume-filesystem.ts';
import {ADMIN_ROLE} from '../postgres/names.ts';
import {instantiate} from './web-assembly.ts';
import type {WasmImports, WasmInstance, WasmModule} from './web-assembly.ts';

/**
 * On top of PGlite's own start parameters (without its -F, which turns fsync off). Later ones win, so the
 * parameter group's come between.
 */
const OWN_PARAMETERS: readonly string[] = [
  // 172 MB of memory an instance with PGlite's default, 45 MB with this.
  'shared_buffers=16MB',
  // PGlite starts with "public" alone.
  'search_path="$user", public',
  'password_encryption=scram-sha-256',
  'max_wal_size=64MB',
  'min_wal_size=32MB',
  'log_timezone=UTC',
];
const FIXED_PARAMETERS: readonly string[] = [
  'fsync=on',
  // fdatasync does nothing in this build; fsync reaches the volume's barrier.
  'wal_sync_method=fsync',
  'full_page_writes=on',
  // Zeros would be 16 MB of pages for each WAL segment, and a recycled one rewrites pages that clones share.
  'wal_init_zero=off',
  'wal_recycle=off',
];

export type OpenEngineOptions = VolumeFilesystemOptions & {
  readonly wasm: WasmModule;
  readonly database: string;
  readonly parameters: readonly string[];
  readonly initialise: boolean;
  /** Called whenever the engine asks the time. */
  readonly poll: () => void;
  readonly onLog: (line: string) => void;
};

export type OpenedEngine = {readonly pglite: PGlite; readonly filesystem: VolumeFilesystem};

export async function openEngine(options: OpenEngineOptions): Promise<OpenedEngine> {
  const filesystem = new VolumeFilesystem(options);
  const pgliteOptions: PGliteOptions = {
    fs: filesystem,
    database: options.database,
    extensions: {amcheck, clock: pollingClock(options.wasm, options.poll)} satisfies Extensions,
    pgliteWasmModule: options.wasm,
    startParams: startParameters(options.parameters),
    initDbStartParams: [`--username=${ADMIN_ROLE}`],
    onStderr: line => {
      options.onLog(line);
      return false;
    },
  };
  const pglite = await PGlite.create(pgliteOptions);
  return {pglite, filesystem};
}

function startParameters(parameters: readonly string[]): string[] {
  return [
    ...PGlite.defaultStartParams.filter(parameter => parameter !== '-F'),
    ...[...OWN_PARAMETERS, ...parameters, ...FIXED_PARAMETERS].flatMap(setting => ['-c', setting]),
  ];
}

/**
 * Has the engine poll when it asks the time, as it does all along in pg_sleep, so that a statement that
 * neither reads nor writes can be cancelled there.
 */
function pollingClock(wasm: WasmModule, poll: () => void): Extensions[string] {
  return {
    name: 'polling clock',
    setup: async (_pglite, emscriptenOptions: Record<string, unknown>) => ({
      emscriptenOpts: {
        ...emscriptenOptions,
        instantiateWasm: (
          imports: WasmImports,
          done: (instance: WasmInstance, module: WasmModule) => void,
        ): object => {
          const {env, wasi_snapshot_preview1: wasi} = imports;
          for (const [table, name] of [
            [env, 'emscripten_date_now'],
            [env, 'emscripten_get_now'],
            [wasi, 'clock_time_get'],
          ] as const) {
            const call = table?.[name];
            if (table === undefined || call === undefined) continue;
            table[name] = (...values) => {
              poll();
              return call(...values);
            };
          }
          // emscripten waits for `done`; a rejection here would end the worker, as it must.
          void instantiate(wasm, imports).then(instance => done(instance, wasm));
          return {};
        },
      },
    }),
  };
}
