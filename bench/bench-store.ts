/** A store of one zone in a temporary directory, on which volumes are opened as an instance opens them. */
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {openZones, type StoreConfig} from '../src/page-store/open-zones.ts';
import {openStore} from '../src/page-store/store.ts';
import {openVolume} from '../src/volume/open-volume.ts';
import type {Volume} from '../src/volume/volume.ts';

export class BenchStore {
  readonly #directory: string = fs.mkdtempSync(join(tmpdir(), 'borealis-bench-store-'));
  readonly #config: StoreConfig = {zones: [{name: 'a', directory: this.#directory}]};

  constructor() {
    const keeper = openZones(this.#config, {role: 'keeper'});
    openStore(keeper);
    keeper.close();
  }

  create(volume: VolumeNumber, nodeCacheBytes: number): Volume {
    return openVolume({...this.#config, volume, format: true, nodeCacheBytes});
  }

  open(volume: VolumeNumber, nodeCacheBytes: number): Volume {
    return openVolume({...this.#config, volume, format: false, nodeCacheBytes});
  }

  dropCache(): void {
    dropSegments(this.#directory);
  }

  bytesOnDisk(): number {
    return files(this.#directory)
      .map(path => fs.statSync(path))
      .reduce((sum, {blocks}) => sum + blocks * 512, 0);
  }

  remove(): void {
    fs.rmSync(this.#directory, {recursive: true});
  }
}

/** The machine's page cache forgets the segments below a zone's directory. */
export function dropSegments(directory: string): void {
  for (const path of files(directory)) if (path.endsWith('.seg')) dropFile(path);
}

export function dropFile(path: string): void {
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
}

function files(directory: string): string[] {
  return fs
    .readdirSync(directory, {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name));
}
