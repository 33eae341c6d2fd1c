/**
 * The server's configuration. It lies in the instance's private directory, not in the volume: it is
 * written anew at every start, so a clone never starts with its source's. No other option file is read.
 */
import {chown, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {BorealisError} from '../../base/errors.ts';
import type {Workplace} from './workplace.ts';

export type SettingsInput = {
  readonly port: number;
  /** Identifies the writer of a transaction among writer and readers. */
  readonly serverId: number;
  /** `bootstrap`: fills a new data directory. */
  readonly role: 'bootstrap' | 'writer' | 'reader';
  readonly parameters: Readonly<Record<string, string>>;
};

export type ConfigurationFiles = {readonly configFile: string; readonly initFile: string};

/**
 * Redo takes about 1 s for 100 MiB of it on a volume, and page cleaners begin long before the log is
 * full; a smaller log has the server write whole pages more often.
 */
const REDO_LOG_SIZE = '96M';
/** Transactions that readers may still want: one that missed more is forked anew. */
const BINLOG_SECONDS = '600';
/** A file of the binary log is deleted whole, and only as the next one begins. */
const BINLOG_FILE_SIZE = '64M';

export function configurationFiles(directory: string): ConfigurationFiles {
  return {configFile: join(directory, 'my.cnf'), initFile: join(directory, 'init.sql')};
}

export async function writeConfiguration(place: Workplace, input: SettingsInput): Promise<void> {
  const {configFile} = configurationFiles(place.configDirectory);
  await writePrivately(place, configFile, settingsText(place, input));
}

/** For the engine's user alone. */
export async function writePrivately(place: Workplace, path: string, text: string): Promise<void> {
  await writeFile(path, text, {mode: 0o600});
  await chown(path, place.user.owner.uid, place.user.owner.gid);
}

/** Options that go by another name than their variable. */
const OPTION_NAMES: Readonly<Record<string, string>> = {time_zone: 'default_time_zone'};

type SettingsPlace = Pick<Workplace, 'files' | 'temporary' | 'configDirectory' | 'socket'>;

/** The text of my.cnf: ours, then the parameter group's, which win, then what rests on the volume. */
export function settingsText(place: SettingsPlace, input: SettingsInput): string {
  const settings: Record<string, string> = {
    ...OWN_SETTINGS,
    ...checkedParameters(input.parameters),
    ...fixedSettings(place, input),
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${OPTION_NAMES[name] ?? name} = ${optionValue(value)}\n`,
  );
  return `[server]\n${lines.join('')}`;
}

/** What a server begins with; a parameter group may change it. */
export const OWN_SETTINGS: Readonly<Record<string, string>> = {
  max_connections: '150',
  // MariaDB's own default. An idle clone has touched little of it, so it costs little.
  innodb_buffer_pool_size: '128M',
  // Only system and temporary tables are of the engines that these are for.
  key_buffer_size: '8M',
  aria_pagecache_buffer_size: '16M',
  character_set_server: 'utf8mb4',
  collation_server: 'utf8mb4_general_ci',
  binlog_expire_logs_seconds: BINLOG_SECONDS,
  max_binlog_size: BINLOG_FILE_SIZE,
  time_zone: '+00:00',
};

/** What a parameter group may not change; managed-settings.ts tells users why. */
export function fixedSettings(place: SettingsPlace, input: SettingsInput): Record<string, string> {
  return {
    datadir: place.files,
    tmpdir: place.temporary,
    socket: place.socket,
    pid_file: join(place.configDirectory, 'server.pid'),
    bind_address: '127.0.0.1',
    port: String(input.port),
    // Also keeps `user@localhost` to the private socket: clients over TCP are `user@127.0.0.1`.
    skip_name_resolve: 'ON',
    // The writer's pages go to the volume one request each, past the kernel's cache: no page is torn,
    // and none is cached twice.
    innodb_flush_method: 'O_DIRECT',
    // Until a crash test proves that a page is never torn on a volume.
    innodb_doublewrite: 'ON',
    // Neighbours on a log-structured volume are not near each other.
    innodb_flush_neighbors: '0',
    innodb_log_file_size: REDO_LOG_SIZE,
    // The server fills it with zeros at every start, which would be pages of the log.
    innodb_temp_data_file_path: 'ibtmp1:1M:autoextend',
    // Reading a list of pages would hold up the first query of a clone, which needs few of them.
    innodb_buffer_pool_dump_at_shutdown: 'OFF',
    innodb_buffer_pool_load_at_startup: 'OFF',
    server_id: String(input.serverId),
    ...(input.role === 'bootstrap' ? {} : replicationSettings(place, input.role)),
  };
}

function replicationSettings(
  {configDirectory}: SettingsPlace,
  role: 'writer' | 'reader',
): Record<string, string> {
  const isReader = role === 'reader';
  return {
    init_file: configurationFiles(configDirectory).initFile,
    log_bin: 'binlog',
    binlog_format: 'ROW',
    gtid_strict_mode: 'ON',
    relay_log: 'relay',
    // They hold the secret of the replication user.
    master_info_file: join(configDirectory, 'master.info'),
    relay_log_info_file: join(configDirectory, 'relay-log.info'),
    // Nothing of the source's acts before it is forgotten.
    skip_slave_start: 'ON',
    // Each start of a reader begins with a new fork, so nothing of it is ever recovered.
    innodb_flush_log_at_trx_commit: isReader ? '0' : '1',
    sync_binlog: isReader ? '0' : '1',
    ...(isReader
      ? {
          read_only: 'ON',
          // An event runs on the writer, and its changes come from there.
          event_scheduler: 'OFF',
          log_slave_updates: 'OFF',
          slave_parallel_threads: '4',
          slave_parallel_mode: 'optimistic',
          slave_net_timeout: '10',
        }
      : {read_only: 'OFF'}),
  };
}

function checkedParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(parameters).map(([name, value]) => {
    if (!/^[a-z][a-z0-9_]*$/i.test(name) || /[\n\r\0]/.test(value)) {
      throw new BorealisError(
        'invalid',
        'engine-parameter',
        `parameter ${JSON.stringify(name)} must be a variable's name (letters, digits, underscores) with a value of one line`,
      );
    }
    return [name.toLowerCase(), value] as const;
  });
  return Object.fromEntries(entries);
}

/** Quoted, since `#` begins a comment; the option file knows backslash escapes within quotes. */
function optionValue(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`;
}
