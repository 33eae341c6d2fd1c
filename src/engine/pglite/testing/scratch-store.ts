/**
 * A store in a temporary directory with PGlite volumes on it, for tests that start real engines. Their golden
 * volume is the same, and made once.
 */
import {existsSync, mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {entryPoint} from '../../../base/entry-point.ts';
import {copyTree, prepared} from '../../../base/testing/prepared.ts';
import {openDirectoryZone} from '../../../page-store/directory-zone.ts';
import type {VolumeNumber} from '../../../page-store/ids.ts';
import {forkIdleVolume} from '../../../volume/idle-volume.ts';
import {scramVerifier} from '../../postgres/scram.ts';
import {startPglite, type PgliteConfig, type RunningPglite} from '../pglite-engine.ts';

export const MASTER = {name: 'chief', password: 'open-sesame-9'};
const NODE_CACHE_BYTES = 16 * 1024 * 1024;
const GOLDEN = 1 as VolumeNumber;

export type ScratchStore = {
  readonly directory: string;
  config(volume: VolumeNumber, role?: PgliteConfig['role']): PgliteConfig;
  /** A new volume with an empty cluster, closed. */
  cluster(): VolumeNumber;
  /** A number that no volume has. */
  nextVolume(): VolumeNumber;
  start(volume: VolumeNumber): Promise<RunningPglite>;
  remove(): void;
};

export async function makeScratchStore(): Promise<ScratchStore> {
  if (!existsSync(entryPoint('engine/pglite/engine-worker'))) {
    throw new Error('these tests start compiled code: run `npm run build` first');
  }
  const golden = await prepared('pglite-golden', async directory => {
    await startPglite(storeIn(directory).config(GOLDEN, 'golden'), () => undefined);
  });
  const directory = mkdtempSync(join(tmpdir(), 'borealis-pglite-'));
  copyTree(join(golden, 'zone'), join(directory, 'zone'));
  return storeIn(directory);
}

function storeIn(directory: string): ScratchStore {
  const zone = {name: 'a', directory: join(directory, 'zone')};
  mkdirSync(zone.directory, {recursive: true});
  let last: number = GOLDEN;
  const config: ScratchStore['config'] = (volume, role = 'writer') => {
    const runDirectory = join(directory, `run-${volume}`);
    mkdirSync(runDirectory, {recursive: true, mode: 0o700});
    return {
      name: `test-${volume}`,
      zones: [zone],
      volume,
      nodeCacheBytes: NODE_CACHE_BYTES,
      reserveBytes: 0,
      runDirectory,
      role,
      port: 0,
      firstStart: false,
      master:
        role === 'golden'
          ? null
          : {name: MASTER.name, verifier: scramVerifier(MASTER.password, {iterations: 4096})},
      databaseName: null,
      tls: null,
      parameters: {},
    };
  };
  const nextVolume = (): VolumeNumber => ++last as VolumeNumber;
  return {
    directory,
    config,
    nextVolume,
    cluster: () => {
      const volume = nextVolume();
      forkIdleVolume(
        {
          zone: openDirectoryZone(zone.name, zone.directory),
          volume: GOLDEN,
          nodeCacheBytes: NODE_CACHE_BYTES,
        },
        volume,
      );
      return volume;
    },
    start: async volume => {
      const running = await startPglite(config(volume), () => undefined);
      if ('settings' in running) throw new Error('a writer serves');
      return running;
    },
    remove: () => rmSync(directory, {recursive: true, force: true}),
  };
}
