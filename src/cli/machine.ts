/**
 * What this machine can do, found out by trying: `doctor` prints it.
 *
 *     native runtime   FUSE mounts in namespaces of their own, and a PostgreSQL server that starts
 *     PGlite runtime   the npm package, which runs wherever Node does
 */
import {existsSync} from 'node:fs';
import {readdir, statfs} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {probeFuse} from '../attachment/fuse/probe.ts';
import {errorMessage, systemErrorCode} from '../base/errors.ts';
import {FREE_BYTES_MIN} from '../cluster/data-directory.ts';
import {inspectMariadb, installedMariadbBin, MARIADB_REMEDY} from '../engine/mysql/binaries.ts';
import {inspectPostgres, packagedPostgresBin} from '../engine/postgres/binaries.ts';
import {formatBytes} from './format/quantity.ts';
import {packageVersion} from './package-version.ts';
import {findMysql, findPsql} from './client-programs.ts';

export type Check = {
  readonly name: string;
  /** `missing` stops something from working; `note` is worth knowing. */
  readonly state: 'ok' | 'note' | 'missing';
  readonly detail: string;
  /** What to do about it, or null. */
  readonly remedy: string | null;
};

export type MachineReport = {
  readonly checks: readonly Check[];
  readonly runtimes: {readonly native: boolean; readonly pglite: boolean};
  /** At least one runtime works, and Node and the disk let it. */
  readonly usable: boolean;
};

/** Said wherever PGlite answers. */
export const PGLITE_LIMITS =
  'PGlite is PostgreSQL in WebAssembly: sessions take turns at its one backend, there is no streaming replication, no background process, and one database an instance.';

const NODE_MAJOR_MIN = 20;
const NODE_MINOR_MIN = 19;
const INSTALLED_POSTGRESQL = '/usr/lib/postgresql';

export async function inspectMachine(
  dataDirectory: string,
  named: {readonly postgresBin?: string; readonly mysqlBin?: string},
): Promise<MachineReport> {
  const node = checkNode(process.versions.node);
  const fuse = await checkFuse();
  const engines = await checkEngines(named.postgresBin);
  const mysql = await checkMysql(named.mysqlBin);
  const pglite = await checkPglite();
  const disk = await checkDisk(dataDirectory);
  const clients = await Promise.all([
    checkClient('psql', findPsql),
    checkClient('mysql', findMysql),
  ]);
  const runtimes = {
    native: fuse.state === 'ok' && engines.some(engine => engine.state === 'ok'),
    pglite: pglite.state !== 'missing',
  };
  const usable =
    (runtimes.native || runtimes.pglite) && node.state === 'ok' && disk.state !== 'missing';
  const checks = [node, fuse, ...engines, pglite, mysql, disk, ...clients];
  return {checks, runtimes, usable};
}

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN);
  return {
    name: 'Node.js',
    state: enough ? 'ok' : 'missing',
    detail: `${version} on ${process.platform} ${process.arch}`,
    remedy: enough ? null : `install Node.js ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer`,
  };
}

async function checkFuse(): Promise<Check> {
  const name = 'FUSE and namespaces';
  const {available, reason, remedy, asRoot} = await probeFuse();
  if (!available) {
    return {name, state: 'missing', detail: reason ?? 'do not work here', remedy};
  }
  const how = asRoot ? 'as root' : 'in user namespaces, without root';
  return {name, state: 'ok', detail: `/dev/fuse, unshare and mount work, ${how}`, remedy: null};
}

/** The engine that was named, the one from npm, and those of the distribution. */
async function checkEngines(named: string | undefined): Promise<Check[]> {
  const packaged = packagedPostgresBin();
  const npm: Check =
    packaged === null
      ? {
          name: 'PostgreSQL from npm',
          state: 'note',
          detail: `no package for ${process.platform} ${process.arch} is installed`,
          remedy:
            'run npm ci without --omit=optional, or name an installed one with --postgres-bin',
        }
      : await checkEngine('PostgreSQL from npm', packaged);
  const installed = await installedPostgresBins();
  const others = await Promise.all(
    installed.map(bin => checkEngine('PostgreSQL installed', bin, ` (--postgres-bin ${bin})`)),
  );
  const given = named === undefined ? [] : [await checkEngine('PostgreSQL named', named)];
  return [...given, npm, ...others];
}

async function checkEngine(name: string, bin: string, hint = ''): Promise<Check> {
  try {
    const {version} = await inspectPostgres(bin);
    return {name, state: 'ok', detail: `${version}${hint}`, remedy: null};
  } catch (error) {
    const detail = errorMessage(error);
    const remedy = 'install what it says is missing, or use another with --postgres-bin DIR';
    return {name, state: 'missing', detail, remedy};
  }
}

async function installedPostgresBins(): Promise<string[]> {
  const versions = await readdir(INSTALLED_POSTGRESQL).catch(() => []);
  return versions
    .map(version => join(INSTALLED_POSTGRESQL, version, 'bin'))
    .filter(bin => existsSync(join(bin, 'postgres')));
}

/** What answers for aurora-mysql; a machine without it runs all the rest. */
async function checkMysql(named: string | undefined): Promise<Check> {
  const name = named === undefined ? 'MariaDB' : 'MariaDB named';
  const bin = named ?? installedMariadbBin();
  if (bin === null) {
    const detail = 'no server is installed, so there are no aurora-mysql clusters';
    return {name, state: 'note', detail, remedy: MARIADB_REMEDY};
  }
  try {
    const {version} = await inspectMariadb(bin);
    return {name, state: 'ok', detail: `${version} (${bin})`, remedy: null};
  } catch (error) {
    const state = named === undefined ? 'note' : 'missing';
    return {name, state, detail: errorMessage(error), remedy: MARIADB_REMEDY};
  }
}

async function checkPglite(): Promise<Check> {
  const name = 'PGlite';
  try {
    const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
    const version = packageVersion(dirname(dirname(entry)));
    return {name, state: 'note', detail: `${version}. ${PGLITE_LIMITS}`, remedy: null};
  } catch (error) {
    return {name, state: 'missing', detail: errorMessage(error), remedy: 'run npm ci again'};
  }
}

/** The directory itself may not exist yet: then its nearest parent's disk is meant. */
async function checkDisk(dataDirectory: string): Promise<Check> {
  const name = 'disk';
  for (let at = dataDirectory; ; at = dirname(at)) {
    try {
      const {bavail, bsize} = await statfs(at);
      const freeBytes = bavail * bsize;
      const enough = freeBytes >= FREE_BYTES_MIN;
      const detail = `${formatBytes(freeBytes)} free for ${dataDirectory}`;
      const remedy = `free at least ${formatBytes(FREE_BYTES_MIN)}, or use --data on another disk`;
      return {name, state: enough ? 'ok' : 'missing', detail, remedy: enough ? null : remedy};
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' || at === dirname(at)) {
        const remedy = 'name another directory with --data';
        return {name, state: 'missing', detail: errorMessage(error), remedy};
      }
    }
  }
}

async function checkClient(name: string, find: () => Promise<string>): Promise<Check> {
  try {
    return {name, state: 'ok', detail: await find(), remedy: null};
  } catch (error) {
    const remedy = `only \`borealis ${name}\` needs it`;
    return {name, state: 'note', detail: errorMessage(error), remedy};
  }
}
