/**
 * The server's configuration. It lies in the instance's private directory, not in the volume: it is
 * written anew at every start, so a clone never starts with its source's, nor with its source's key.
 */
import {chown, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {BorealisError} from '../../base/errors.ts';
import type {EngineTls} from '../engine.ts';
import {ADMIN_ROLE, MASTER_GROUP_ROLE, REPLICATION_ROLE, TOKEN_GROUP_ROLE} from './names.ts';

export type SettingsInput = {
  readonly port: number;
  readonly socketDirectory: string;
  /** `volume`: the caller put a barrier of the volume before the start, so the server need not sync every file. */
  readonly syncedBy: 'volume' | 'server';
  /** `closed`: nobody but us gets in, and no replication worker of the source's runs. */
  readonly doors: 'closed' | 'open';
  readonly replication: ReplicationSettings;
  readonly tls: EngineTls | null;
  readonly parameters: Readonly<Record<string, string>>;
};

/**
 * `alone`: a writer without readers. `source`: a writer that keeps some WAL for its readers. `reader`:
 * follows the writer at `port`, with the secret that is in `passFile`.
 */
export type ReplicationSettings =
  | {readonly role: 'alone' | 'source'}
  | {readonly role: 'reader'; readonly port: number; readonly passFile: string};

/** Fifteen readers, and as many consumers of the user's own. */
export const WAL_SENDERS_MAX = 30;
/**
 * What a reader may miss while its connection is broken. Not more, because one that is further behind
 * is forked anew in a moment, and every fork of the volume holds on to what is kept.
 */
const KEPT_WAL = '128MB';
/** A reader hears from its writer at least each half of it, or looks for it again. */
const RECEIVER_TIMEOUT = '10s';
const RECEIVER_RETRY = '200ms';

/** PostgreSQL's own default; what it is once the doors are open. */
export const OPEN_LIBRARY_PATH = '$libdir';

/** The parameter of RDS that refuses clients without TLS; the server keeps it as a setting of its own kind. */
export const FORCE_TLS_PARAMETER = 'rds.force_ssl';

/** Clients' own addresses: the relay comes from that of its client. */
const LOOPBACK = '127.0.0.0/8';

export type ConfigurationFiles = {
  readonly configFile: string;
  readonly hbaFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly clientAuthorityFile: string;
};

export function configurationFiles(directory: string): ConfigurationFiles {
  return {
    configFile: join(directory, 'postgresql.conf'),
    hbaFile: join(directory, 'pg_hba.conf'),
    certificateFile: join(directory, 'server.crt'),
    keyFile: join(directory, 'server.key'),
    clientAuthorityFile: join(directory, 'clients.crt'),
  };
}

/** Writes the files for the engine's user. A server that runs takes changes on SIGHUP. */
export async function writeConfiguration(
  directory: string,
  input: SettingsInput,
  owner: {readonly uid: number; readonly gid: number},
): Promise<void> {
  const files = configurationFiles(directory);
  const {tls} = input;
  const texts: [string, string][] = [
    [files.configFile, settingsText(input, files)],
    [files.hbaFile, hbaText(input)],
  ];
  if (tls !== null) {
    texts.push([files.certificateFile, tls.certificate], [files.keyFile, tls.key]);
    texts.push([files.clientAuthorityFile, tls.clientAuthority]);
  }
  for (const [path, text] of texts) {
    await writeFile(path, text, {mode: 0o600});
    await chown(path, owner.uid, owner.gid);
  }
}

/** The text of postgresql.conf: ours, then the parameter group's, which win. */
export function settingsText(input: SettingsInput, files: ConfigurationFiles): string {
  const settings: Record<string, string> = {
    ...OWN_SETTINGS,
    ...checkedParameters(input.parameters),
    ...fixedSettings(input),
    ...tlsSettings(input, files),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('');
}

/**
 * The first line that fits decides: members of rds_superuser keep their passwords, and those of rds_iam
 * show a certificate, which the relay has for those whose token is good.
 */
export function hbaText(input: Pick<SettingsInput, 'doors' | 'tls' | 'parameters'>): string {
  const {doors, tls, parameters} = input;
  // The socket lies in a directory that only the instance reaches.
  const admin = `local all ${ADMIN_ROLE} trust\n`;
  if (doors === 'closed') return admin;
  const isForced = isTlsForced(parameters);
  const type = isForced ? 'hostssl' : 'host';
  return [
    `${admin}host all ${ADMIN_ROLE} all reject\n`,
    // `all` means every database, which is not replication.
    `host replication ${REPLICATION_ROLE} 127.0.0.1/32 scram-sha-256\n`,
    `host all ${REPLICATION_ROLE} all reject\n`,
    `${type} all +${MASTER_GROUP_ROLE} ${LOOPBACK} scram-sha-256\n`,
    ...(tls === null ? [] : [`hostssl all +${TOKEN_GROUP_ROLE} ${LOOPBACK} cert\n`]),
    ...(isForced ? [] : [`host all +${TOKEN_GROUP_ROLE} all reject\n`]),
    `${type} all all ${LOOPBACK} scram-sha-256\n`,
  ].join('');
}

export function isTlsForced(parameters: SettingsInput['parameters']): boolean {
  return /^(?:1|on|true|yes)$/i.test(parameters[FORCE_TLS_PARAMETER] ?? '');
}

function tlsSettings({tls}: SettingsInput, files: ConfigurationFiles): Record<string, string> {
  if (tls === null) return {ssl: 'off'};
  return {
    ssl: 'on',
    ssl_cert_file: files.certificateFile,
    ssl_key_file: files.keyFile,
    ssl_ca_file: files.clientAuthorityFile,
  };
}

/** What a server begins with; a parameter group may change it. */
export const OWN_SETTINGS: Readonly<Record<string, string>> = {
  max_connections: '100',
  // PostgreSQL's own default. An idle clone has touched little of it, so it costs little.
  shared_buffers: '128MB',
  password_encryption: 'scram-sha-256',
  // A checkpoint begins at about half of this, and redo takes about 10 ms a MiB: a crash restart
  // takes a second or so. Less would have the server write whole pages more often.
  max_wal_size: '256MB',
  checkpoint_timeout: '60s',
  // What initdb would have written into the volume's own postgresql.conf.
  timezone: 'UTC',
  log_timezone: 'UTC',
  datestyle: 'iso, mdy',
  lc_messages: 'C',
  lc_monetary: 'C',
  lc_numeric: 'C',
  lc_time: 'C',
  default_text_search_config: 'pg_catalog.english',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

/** What a parameter group may not change; managed-settings.ts tells users why. */
function fixedSettings(input: SettingsInput): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    port: String(input.port),
    unix_socket_directories: input.socketDirectory,
    unix_socket_permissions: '0700',
    // stderr goes to engine.log.
    logging_collector: 'off',
    log_destination: 'stderr',
    // Each start of a reader begins with a new fork, so nothing of it is ever recovered.
    fsync: input.replication.role === 'reader' ? 'off' : 'on',
    // Until a crash test proves that a page is never torn on a volume.
    full_page_writes: 'on',
    // Zeros would be pages of the log; a copy-on-write volume gains nothing from them.
    wal_init_zero: 'off',
    // Reuse would rewrite pages that clones share.
    wal_recycle: 'off',
    recovery_init_sync_method: input.syncedBy === 'volume' ? 'syncfs' : 'fsync',
    // A crashed backend ends the instance: it starts again on a fresh mount with a barrier before recovery.
    restart_after_crash: 'off',
    huge_pages: 'off',
    // System V segments go with the instance's IPC namespace; POSIX ones would stay in /dev/shm.
    dynamic_shared_memory_type: 'sysv',
    // Nothing is archived by the server: the volume's history is the backup.
    archive_mode: 'off',
    // A replication worker loads libpqwalreceiver by its bare name. With an empty path it cannot,
    // so no subscription of the source's acts before it is dropped.
    dynamic_library_path: input.doors === 'closed' ? '/nonexistent' : OPEN_LIBRARY_PATH,
    ...replicationSettings(input.replication),
  };
}

function replicationSettings(replication: ReplicationSettings): Record<string, string> {
  // A reader must allow at least as many senders as its writer.
  const common = {max_wal_senders: String(WAL_SENDERS_MAX)};
  if (replication.role !== 'reader') {
    return {...common, wal_keep_size: replication.role === 'source' ? KEPT_WAL : '0'};
  }
  const {port, passFile} = replication;
  return {
    ...common,
    hot_standby: 'on',
    primary_conninfo: `host=127.0.0.1 port=${port} user=${REPLICATION_ROLE} passfile=${passFile} sslmode=disable connect_timeout=5`,
    wal_receiver_timeout: RECEIVER_TIMEOUT,
    wal_retrieve_retry_interval: RECEIVER_RETRY,
  };
}

function checkedParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  for (const [name, value] of Object.entries(parameters)) {
    if (!/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i.test(name) || /[\n\r\0]/.test(value)) {
      throw new BorealisError(
        'invalid',
        'engine-parameter',
        `parameter ${JSON.stringify(name)} must be a setting's name (letters, digits, underscores) with a value of one line`,
      );
    }
  }
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      const key = name.toLowerCase();
      return [key, key === 'shared_preload_libraries' ? withLibraryPath(value) : value];
    }),
  );
}

/** `pg_stat_statements` → `$libdir/pg_stat_statements`: found whatever `dynamic_library_path` is. */
function withLibraryPath(libraries: string): string {
  return libraries
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
    .map(name => (name.includes('/') ? name : `$libdir/${name}`))
    .join(',');
}
