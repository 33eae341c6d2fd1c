/** What is particular to each engine about parameters. Types and limits come from the engine's own catalogue. */
import type {EngineName, EngineSetting} from '../engine/engine.ts';
import {MANAGED_SETTINGS as MYSQL_MANAGED} from '../engine/mysql/managed-settings.ts';
import {OWN_SETTINGS as MYSQL_OWN} from '../engine/mysql/settings.ts';
import {MANAGED_SETTINGS as POSTGRES_MANAGED} from '../engine/postgres/managed-settings.ts';
import {OWN_SETTINGS as POSTGRES_OWN} from '../engine/postgres/settings.ts';

export type ParameterRules = {
  /** What a group may not set, with the reason. */
  readonly managed: Readonly<Record<string, string>>;
  /** What the engine begins with. */
  readonly own: Readonly<Record<string, string>>;
  /** What the default groups say of memory: formulas, by name. */
  readonly classSettings: Readonly<Record<string, string>>;
  /** What writer and readers must have alike, and what a cluster has at all of its endpoints. */
  readonly clusterWide: ReadonlySet<string>;
  /** Of what a reader cannot run with less than its writer runs with. */
  readonly readerMinima: readonly string[];
  /** Narrower than what the engine says, because with the rest it would not start. */
  readonly narrowed: Readonly<Record<string, Partial<EngineSetting>>>;
};

const POSTGRES_MINIMA: readonly string[] = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_worker_processes',
];

const RULES: Readonly<Record<EngineName, ParameterRules>> = {
  'aurora-postgresql': {
    managed: POSTGRES_MANAGED,
    own: POSTGRES_OWN,
    // `shared_buffers` is less than in Aurora, where storage has no page cache of its own: here the
    // kernel keeps the pages as well.
    classSettings: {
      effective_cache_size: '{DBInstanceClassMemory/16384}',
      maintenance_work_mem: 'GREATEST({DBInstanceClassMemory/65536},65536)',
      max_connections: 'LEAST(GREATEST({DBInstanceClassMemory/9531392},100),5000)',
      shared_buffers: 'GREATEST({DBInstanceClassMemory/65536},16384)',
    },
    clusterWide: new Set([...POSTGRES_MINIMA, 'rds.force_ssl', 'wal_level']),
    readerMinima: POSTGRES_MINIMA,
    narrowed: {
      max_connections: {min: '10'},
      wal_level: {values: ['replica', 'logical']},
    },
  },
  'aurora-mysql': {
    managed: MYSQL_MANAGED,
    own: MYSQL_OWN,
    // Less than in Aurora's own three quarters, since many instances share the machine.
    classSettings: {
      innodb_buffer_pool_size: 'GREATEST({DBInstanceClassMemory/8},134217728)',
      max_connections: 'LEAST(GREATEST({DBInstanceClassMemory/12582880},100),5000)',
    },
    clusterWide: new Set(['character_set_server', 'collation_server', 'event_scheduler']),
    readerMinima: [],
    narrowed: {
      // With these it cannot be changed while the server runs, or means what only the server sets.
      event_scheduler: {values: ['off', 'on']},
      innodb_buffer_pool_size: {min: '134217728'},
    },
  },
};

export function rulesOf(engine: EngineName): ParameterRules {
  return RULES[engine];
}

/** Of the engine whose family it is: `aurora-mysql10.11`. */
export function rulesOfFamily(family: string): ParameterRules {
  return RULES[family.startsWith('aurora-mysql') ? 'aurora-mysql' : 'aurora-postgresql'];
}
