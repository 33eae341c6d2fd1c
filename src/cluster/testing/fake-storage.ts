/**
 * A stand-in for the store, for tests of the control plane alone. It keeps its state in files, so it
 * outlives a service that was killed.
 *
 *     volumes/NEXT      the number of the next volume
 *     volumes/N.json    the lines that were written to volume N
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import type {ForkResult} from '../../attachment/attachment.ts';
import {BorealisError} from '../../base/errors.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import type {MembershipState} from '../../page-store/zone.ts';
import type {ScrubReport} from '../../volume/scrub-report.ts';
import type {ClusterStorage, ScrubOrder, ScrubRun} from '../storage-types.ts';

export const FORK: ForkResult = {
  lsn: 1 as ForkResult['lsn'],
  atMs: null,
  bytesWritten: 0,
  bytesCopied: 0,
  durationMs: 1,
};

export class FakeStorage implements ClusterStorage {
  readonly directory: string;
  /** Volumes that an instance has open. */
  readonly open: Set<number> = new Set();
  sweeps = 0;
  /** Turns that say that there is more. */
  turnsLeft = 0;
  unsettled: readonly VolumeNumber[] = [];
  /** What `usage` says of removed volumes. */
  removed: Awaited<ReturnType<ClusterStorage['usage']>>['removed'] = [];

  /** What the store's threads were told of zones last. */
  config: StoreConfig | null = null;
  /** Zones that were filled; others are degraded. Null: all that it is told of. */
  filled: readonly string[] | null = null;
  readonly membership: ClusterStorage['membership'] = {
    change: async config => {
      this.config = config;
    },
    state: async () => fakeMembership(this.config, this.filled),
    audit: async () => undefined,
    record: async () => undefined,
    markRemoved: async () => true,
    unclean: async () => [],
    settle: async () => undefined,
  };

  constructor(directory: string) {
    this.directory = join(directory, 'volumes');
    mkdirSync(this.directory, {recursive: true});
  }

  /** For an instance that opens it. */
  claim(volume: VolumeNumber): void {
    if (this.open.has(volume)) throw new Error(`volume ${volume} was opened twice`);
    this.open.add(volume);
  }

  async allocateVolume(): Promise<VolumeNumber> {
    const path = join(this.directory, 'NEXT');
    const next = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 1;
    writeWhole(path, String(next + 1));
    return next as VolumeNumber;
  }

  async exists(volume: VolumeNumber): Promise<boolean> {
    return existsSync(this.#path(volume));
  }

  async forkIdle(source: VolumeNumber, child: VolumeNumber): Promise<ForkResult> {
    if (this.open.has(source)) throw new Error(`volume ${source} is open, so it is not idle`);
    if (!existsSync(this.#path(source))) {
      throw new BorealisError('not-found', 'volume-not-found', `no volume ${source}`);
    }
    this.fork(source, child);
    return FORK;
  }

  async restorableRange(): Promise<null> {
    return null;
  }

  async backtrack(): Promise<never> {
    throw new Error('a fake volume has no past');
  }

  async setRetention(): Promise<void> {
    // A fake volume has no past.
  }

  async trimHistory(): Promise<void> {
    // A fake volume has no past.
  }

  async remove(volume: VolumeNumber): Promise<void> {
    if (this.open.has(volume)) throw new Error(`volume ${volume} is open and cannot be removed`);
    rmSync(this.#path(volume), {force: true});
  }

  async sweep(): ReturnType<ClusterStorage['sweep']> {
    this.sweeps++;
    const nothing = {segmentsDeleted: 0, segmentsCompacted: 0, bytesFreed: 0};
    return {...nothing, bytesOnDisk: 0, bytesReachable: 0, more: this.turnsLeft-- > 0};
  }

  async sweepNeed(): ReturnType<ClusterStorage['sweepNeed']> {
    return {isDue: false, unsettled: this.unsettled};
  }

  /** What the next scrub finds; it ends when `endScrub` is called, or at once. */
  scrubReport: ScrubReport = {
    volumes: 1,
    zones: [{zone: 'local-1a', units: 3, bytes: 3 * 8192, repaired: 0, unread: 0}],
    repaired: [],
    damaged: [],
    repairedMore: 0,
    damagedMore: 0,
  };
  /** The orders of scrubs, the last one last. */
  readonly scrubs: ScrubOrder[] = [];
  holdsScrubs = false;
  endScrub: () => void = () => undefined;
  stopScrub: () => Promise<void> = async () => undefined;

  scrub(order: ScrubOrder): ScrubRun {
    this.scrubs.push(order);
    let stop: () => void = () => undefined;
    const done = new Promise<ScrubReport>((resolve, reject) => {
      this.endScrub = () => resolve(this.scrubReport);
      stop = () => reject(new BorealisError('closed', 'storage-closed', 'it was ended'));
      if (!this.holdsScrubs) this.endScrub();
    });
    this.stopScrub = async () => stop();
    return {done, stop: this.stopScrub};
  }

  async zoneStates(): ReturnType<ClusterStorage['zoneStates']> {
    const zones = this.config?.zones ?? [{name: 'local-1a'}];
    return zones.map(({name}) => ({zone: name, state: 'healthy'}));
  }

  async usage({
    except,
  }: Parameters<ClusterStorage['usage']>[0]): ReturnType<ClusterStorage['usage']> {
    const shown = this.listVolumes().filter(volume => !except.includes(volume));
    const volumes = shown.map(volume => ({
      volume,
      source: null,
      logicalPages: this.read(volume).length,
      sharedPages: 0,
      ownedPages: this.read(volume).length,
      logicalNodes: 2,
      sharedNodes: 0,
      ownedNodes: 2,
      historyPages: 0,
      historyNodes: 0,
      ownedHistoryPages: 0,
      ownedHistoryNodes: 0,
    }));
    return {
      bytesOnDisk: 0,
      bytesReachable: 0,
      volumes,
      removed: this.removed,
    };
  }

  async endReclaim(): Promise<void> {
    await Promise.resolve();
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  fork(source: number, child: number): void {
    if (!existsSync(this.#path(child))) this.write(child, this.read(source));
  }

  read(volume: number): string[] {
    return JSON.parse(readFileSync(this.#path(volume), 'utf8')) as string[];
  }

  write(volume: number, words: readonly string[]): void {
    writeWhole(this.#path(volume), JSON.stringify(words));
  }

  async volumes(): Promise<readonly VolumeNumber[]> {
    return this.listVolumes();
  }

  listVolumes(): VolumeNumber[] {
    return readdirSync(this.directory)
      .filter(name => /^\d+\.json$/.test(name))
      .map(name => Number.parseInt(name, 10) as VolumeNumber)
      .sort((a, b) => a - b);
  }

  #path(volume: number): string {
    return join(this.directory, `${volume}.json`);
  }
}

export function fakeMembership(
  config: StoreConfig | null,
  filled: readonly string[] | null,
): MembershipState {
  const names = config?.zones.map(({name}) => name) ?? [];
  const current = names.filter(name => filled?.includes(name) ?? true);
  return {number: config?.membership?.number ?? 0, current, broken: [], isSettled: true};
}

function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
