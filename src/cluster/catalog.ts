/**
 * The catalog: every resource of the service in one embedded transactional store (LMDB), one file.
 *
 *     format, identity, counters   of the catalog itself
 *     clusters        [region, identifier]  → ClusterRecord
 *     instances       [region, identifier]  → InstanceRecord
 *     cluster-endpoints  [region, identifier]  → ClusterEndpointRecord
 *     golden-volumes  [region, golden key]  → GoldenVolumeRecord
 *     scrubs          [region, `store`]     → ScrubRecord
 *     engine-settings [region, golden key]  → EngineSettingsRecord
 *     subnet-groups   [region, name]        → SubnetGroupRecord
 *     quotas          [region, name]        → QuotaRecord, of quotas that were changed
 *     cluster-parameter-groups, instance-parameter-groups   [region, name]  → ParameterGroupRecord
 *     event-subscriptions  [region, name]   → EventSubscriptionRecord
 *     events          [region, number]      → EventRecord, for EVENT_AGE_MS_MAX, the newest EVENTS_MAX
 *
 * Rules:  all writes happen in `transaction`, which runs whole or not at all and is durable (fsync)
 *         when it returns. One process has the catalog open (the service lock sees to that), and it
 *         writes from one thread, so reading and writing in one transaction is compare-and-set.
 * Errors: corrupt/catalog-unreadable and invalid/catalog-format on opening; a conflict is the
 *         caller's own, thrown from inside the transaction, which then leaves nothing behind.
 */
import {closeSync, existsSync, openSync, readSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {
  open,
  type Database,
  type RangeIterable,
  type RootDatabase,
  type RootDatabaseOptionsWithPath,
} from 'lmdb';
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {CATALOG_FORMAT, CATALOG_FORMAT_MIN, upgradedRecord} from './catalog-upgrade.ts';
import type {
  ClusterEndpointRecord,
  ClusterRecord,
  EngineSettingsRecord,
  EventCategory,
  EventRecord,
  EventSubscriptionRecord,
  GoldenVolumeRecord,
  InstanceRecord,
  ScrubRecord,
  ParameterGroupRecord,
  QuotaRecord,
  ServiceIdentity,
  SubnetGroupRecord,
} from './records.ts';

/** As in RDS. */
export const EVENT_AGE_MS_MAX: number = 14 * 24 * 60 * 60 * 1_000;
/** So that a loop of calls cannot fill the disk: five thousand clones in a fortnight; 10 MB. */
const EVENTS_MAX = 50_000;

const HIGHEST_VOLUME = 'highest-volume';

/** mdb.c: a meta page is a page header, then the magic number. */
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_MAGIC_OFFSET = 24;
/** Those there are, and some to spare. */
export const STORES_MAX = 32;

type Key = string | [region: string, name: string | number];
type Store<T> = Database<T, Key>;
type Format = {readonly product: string; readonly version: number};

export type NumberedEvent = {readonly number: number; readonly event: EventRecord};

export type CatalogOptions = {
  /** An existing directory; the catalog is `catalog.mdb` in it. */
  readonly directory: string;
  readonly region: string;
  /** What a new catalog begins with. */
  readonly newIdentity: () => ServiceIdentity;
  readonly eventsMax?: number;
};

type TableHooks = {readonly inTransaction: () => boolean; readonly onPut: (record: object) => void};

/** One kind of record. Reads see the last transaction, and inside a transaction its own writes. */
export class CatalogTable<T extends object> {
  readonly #store: Store<T>;
  readonly #region: string;
  readonly #hooks: TableHooks;

  constructor(store: Store<T>, region: string, hooks: TableHooks) {
    this.#store = store;
    this.#region = region;
    this.#hooks = hooks;
  }

  get(name: string): T | undefined {
    return this.#store.get(this.#key(name));
  }

  /** All records in the order of their names. */
  list(): T[] {
    const range = this.#store.getRange({
      start: [this.#region, ''],
      end: [`${this.#region}\u0000`, ''],
    });
    return Array.from(range, entry => entry.value);
  }

  put(name: string, record: T): void {
    this.#assertTransaction();
    this.#hooks.onPut(record);
    this.#store.putSync(this.#key(name), record);
  }

  /** Changes a record if it is there, and returns what it became. */
  update(name: string, change: (record: T) => T): T | undefined {
    this.#assertTransaction();
    const record = this.get(name);
    if (record === undefined) return undefined;
    const changed = change(record);
    this.put(name, changed);
    return changed;
  }

  remove(name: string): void {
    this.#assertTransaction();
    this.#store.removeSync(this.#key(name));
  }

  #key(name: string): [string, string] {
    return [this.#region, name.toLowerCase()];
  }

  #assertTransaction(): void {
    assert(this.#hooks.inTransaction(), 'the catalog is written inside a transaction');
  }
}

export class Catalog {
  readonly clusters: CatalogTable<ClusterRecord>;
  readonly instances: CatalogTable<InstanceRecord>;
  readonly clusterEndpoints: CatalogTable<ClusterEndpointRecord>;
  readonly clusterParameterGroups: CatalogTable<ParameterGroupRecord>;
  readonly instanceParameterGroups: CatalogTable<ParameterGroupRecord>;
  readonly subnetGroups: CatalogTable<SubnetGroupRecord>;
  readonly quotas: CatalogTable<QuotaRecord>;
  readonly engineSettings: CatalogTable<EngineSettingsRecord>;
  readonly eventSubscriptions: CatalogTable<EventSubscriptionRecord>;
  readonly goldenVolumes: CatalogTable<GoldenVolumeRecord>;
  readonly scrubs: CatalogTable<ScrubRecord>;
  readonly identity: ServiceIdentity;
  readonly #root: RootDatabase;
  readonly #format: Store<Format>;
  readonly #identity: Store<ServiceIdentity>;
  readonly #counters: Store<number>;
  readonly #events: Store<EventRecord>;
  /** Those of records, by name. */
  readonly #stores = new Map<string, Store<object>>();
  readonly #region: string;
  readonly #eventsMax: number;
  readonly #eventCounts = new Map<EventCategory, number>();
  /** Events of the transaction that is under way. */
  #newEvents: EventRecord[] = [];
  #depth = 0;

  private constructor(root: RootDatabase, options: CatalogOptions) {
    const opened = <T extends object>(name: string): Store<T> => {
      const store = openStore<T>(root, name);
      this.#stores.set(name, store);
      return store;
    };
    const table = <T extends object>(name: string): CatalogTable<T> =>
      new CatalogTable<T>(opened<T>(name), options.region, {
        inTransaction: () => this.#depth > 0,
        onPut: record => this.#noteVolumes(record),
      });
    this.#root = root;
    this.#region = options.region;
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
    this.#format = openStore(root, 'format');
    this.#identity = openStore(root, 'identity');
    this.#counters = openStore(root, 'counters');
    this.#events = opened('events');
    this.clusters = table('clusters');
    this.instances = table('instances');
    this.clusterEndpoints = table('cluster-endpoints');
    this.clusterParameterGroups = table('cluster-parameter-groups');
    this.instanceParameterGroups = table('instance-parameter-groups');
    this.subnetGroups = table('subnet-groups');
    this.quotas = table('quotas');
    this.engineSettings = table('engine-settings');
    this.eventSubscriptions = table('event-subscriptions');
    this.goldenVolumes = table('golden-volumes');
    this.scrubs = table('scrubs');
    this.identity = this.#openIdentity(options);
  }

  static open(options: CatalogOptions): Catalog {
    const path = join(options.directory, 'catalog.mdb');
    const root = openEnvironment(path);
    try {
      return new Catalog(root, options);
    } catch (error) {
      void root.close();
      throw error;
    }
  }

  /** Runs `work` as one durable, atomic step. What it throws undoes it and is thrown on. */
  transaction<T>(work: () => T): T {
    assert(this.#depth === 0, 'catalog transactions do not nest');
    this.#newEvents = [];
    const done = this.#root.transactionSync(() => {
      this.#depth++;
      try {
        const result = work();
        assert(!(result instanceof Promise), 'a catalog transaction is synchronous');
        return result;
      } finally {
        this.#depth--;
      }
    });
    for (const category of this.#newEvents.flatMap(({categories}) => categories)) {
      this.#eventCounts.set(category, (this.#eventCounts.get(category) ?? 0) + 1);
    }
    return done;
  }

  /** Events recorded since the catalog was opened, in each of their categories. */
  get eventCounts(): ReadonlyMap<EventCategory, number> {
    return this.#eventCounts;
  }

  /**
   * The highest volume number that any record has ever named: a volume above it was made by nobody who
   * wrote to this catalog, which is then older than the store. Null in a catalog from before this was kept.
   */
  get highestVolume(): number | null {
    return this.#counters.get(HIGHEST_VOLUME) ?? null;
  }

  /** Call it inside a transaction. */
  noteVolume(volume: number): void {
    if (volume > (this.highestVolume ?? -1)) this.#counters.putSync(HIGHEST_VOLUME, volume);
  }

  /** Appends an event and drops what is too old or too many. Call it inside a transaction. */
  addEvent(event: EventRecord): void {
    assert(this.#depth > 0, 'an event is part of the transaction that it tells of');
    this.#newEvents.push(event);
    const sequence = this.lastEventNumber() + 1;
    this.#counters.putSync('events', sequence);
    this.#events.putSync([this.#region, sequence], event);
    const expired: Key[] = [];
    for (const {key, value} of this.#eventRange()) {
      const isOld = value.timeMs < event.timeMs - EVENT_AGE_MS_MAX;
      if (!isOld && eventNumber(key) > sequence - this.#eventsMax) break;
      expired.push(key);
    }
    for (const key of expired) this.#events.removeSync(key);
  }

  /** The number of the newest event, or 0 before the first one. */
  lastEventNumber(): number {
    return this.#counters.get('events') ?? 0;
  }

  /** The oldest first, from the one after number `after` on. Numbers only grow, whatever the clock does. */
  events({
    after = 0,
    countMax = EVENTS_MAX,
  }: {after?: number; countMax?: number} = {}): NumberedEvent[] {
    return Array.from(this.#eventRange(after + 1, countMax), ({key, value}) => ({
      number: eventNumber(key),
      event: value,
    }));
  }

  #upgrade(from: number): void {
    this.transaction(() => {
      for (const [name, store] of this.#stores) {
        for (const {key, value} of Array.from(store.getRange({}))) {
          store.putSync(key, upgradedRecord(name, value, from));
        }
      }
      this.#format.putSync('catalog', {product: 'borealis-catalog', version: CATALOG_FORMAT});
    });
  }

  #eventRange(
    first = 0,
    countMax: number = EVENTS_MAX,
  ): RangeIterable<{key: Key; value: EventRecord}> {
    return this.#events.getRange({
      start: [this.#region, first],
      end: [this.#region, Number.MAX_SAFE_INTEGER],
      limit: countMax,
    });
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #noteVolumes(record: object): void {
    const {volume, scratchVolume}: {volume?: unknown; scratchVolume?: unknown} = record;
    for (const number of [volume, scratchVolume]) {
      if (typeof number === 'number') this.noteVolume(number);
    }
  }

  #openIdentity(options: CatalogOptions): ServiceIdentity {
    const format = this.#format.get('catalog');
    if (format === undefined) {
      const identity = options.newIdentity();
      this.transaction(() => {
        this.#format.putSync('catalog', {product: 'borealis-catalog', version: CATALOG_FORMAT});
        this.#identity.putSync('service', identity);
        this.noteVolume(0);
      });
      return identity;
    }
    if (format.product !== 'borealis-catalog' || !isReadable(format.version)) {
      throw new BorealisError(
        'invalid',
        'catalog-format',
        `The catalog in ${options.directory} has format version ${String(format.version)}; this Borealis reads version ${CATALOG_FORMAT_MIN} to ${CATALOG_FORMAT}. Use the release that wrote it, or another data directory.`,
      );
    }
    if (format.version < CATALOG_FORMAT) this.#upgrade(format.version);
    const identity = this.#identity.get('service');
    assert(identity !== undefined, 'format and identity are written in one transaction');
    return identity;
  }
}

function openEnvironment(path: string): RootDatabase {
  // lmdb crashes the process on a file that is not its own, so look before it does.
  if (!looksLikeLmdb(path)) throw unreadable(path);
  try {
    return open(environmentOptions(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause?: unknown): BorealisError {
  return new BorealisError(
    'corrupt',
    'catalog-unreadable',
    `The catalog ${path} cannot be opened as an LMDB file. Restore it from a copy of the data directory.`,
    cause,
  );
}

/** A file that is new, or whose first page has LMDB's mark. */
function looksLikeLmdb(path: string): boolean {
  if (!existsSync(path) || statSync(path).size === 0) return true;
  const head = Buffer.alloc(LMDB_MAGIC_OFFSET + 4);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return head.readUInt32LE(LMDB_MAGIC_OFFSET) === LMDB_MAGIC;
}

/** `permissionsMode` is missing from the types of lmdb. */
function environmentOptions(path: string): RootDatabaseOptionsWithPath & {permissionsMode: number} {
  return {
    path,
    encoding: 'json',
    // A commit that returned is on disk: LMDB syncs before it answers instead of afterwards.
    overlappingSync: false,
    maxDbs: STORES_MAX,
    permissionsMode: 0o600,
  };
}

function isReadable(version: number): boolean {
  return version >= CATALOG_FORMAT_MIN && version <= CATALOG_FORMAT;
}

function eventNumber(key: Key): number {
  return Number(key[1]);
}

function openStore<T>(root: RootDatabase, name: string): Store<T> {
  return root.openDB<T, Key>({name, encoding: 'json'});
}
