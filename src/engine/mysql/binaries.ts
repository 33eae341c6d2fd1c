/**
 * Where MariaDB's programs are, and whether they run.
 *
 *     /usr/sbin/mariadbd                 Debian and its kin; DIR/mariadbd with `--mysql-bin DIR`
 *     mariadb-install-db, my_print_defaults   beside it, or in `bin` or `scripts` of the same prefix
 *
 * Errors: BorealisError with code `engine-binary`, saying what the program said.
 */
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {BorealisError, errorMessage} from '../../base/errors.ts';

export type MariadbVersion = {
  /** E.g. `10.11.19`. */
  readonly version: string;
  /** E.g. `10.11`: what has one family of parameters and one format of files. */
  readonly series: string;
};

/** What to do where there is none. */
export const MARIADB_REMEDY =
  'Install MariaDB (apt-get install mariadb-server), or name the directory of an installed server with --mysql-bin.';

/** Where packages of distributions put servers. */
const USUAL_DIRECTORIES: readonly string[] = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec'];
const VERSION_TIMEOUT_MS = 15_000;
const OUTPUT_LENGTH_MAX = 2_000;
/** Older ones differ in redo log and in the rights that they know; nobody maintains them. */
const VERSION_MIN = [10, 6] as const;

/** The directory of an installed server, or null. */
export function installedMariadbBin(): string | null {
  return USUAL_DIRECTORIES.find(directory => existsSync(join(directory, 'mariadbd'))) ?? null;
}

/** Runs `mariadbd --version` of the server in `bin`. */
export async function inspectMariadb(bin: string): Promise<MariadbVersion> {
  if (!existsSync(join(bin, 'mariadbd'))) {
    const other = existsSync(join(bin, 'mysqld')) ? ' (its mysqld is not MariaDB’s)' : '';
    throw new BorealisError(
      'invalid',
      'engine-binary',
      `${bin} has no program mariadbd${other}: name the directory of a MariaDB server, such as /usr/sbin. MySQL's own server is not supported.`,
    );
  }
  installProgram(bin);
  const output = await versionOutput(bin);
  const match = /Ver ((\d+)\.(\d+)\.\d+)-MariaDB/.exec(output);
  const [, version, major, minor] = match ?? [];
  if (version === undefined) throw notRunning(bin, `it answered: ${output}`);
  const [wantedMajor, wantedMinor] = VERSION_MIN;
  const isOld =
    Number(major) < wantedMajor || (Number(major) === wantedMajor && Number(minor) < wantedMinor);
  if (isOld) {
    throw new BorealisError(
      'invalid',
      'engine-binary',
      `${bin} is MariaDB ${version}; Borealis runs MariaDB ${VERSION_MIN.join('.')} and newer`,
    );
  }
  return {version, series: `${major}.${minor}`};
}

/** `mariadb-install-db` of the server in `bin`. */
export function installProgram(bin: string): string {
  const prefix = dirname(bin);
  const places = [bin, join(prefix, 'bin'), join(prefix, 'scripts')];
  const found = places
    .map(directory => join(directory, 'mariadb-install-db'))
    .find(path => existsSync(path));
  if (found !== undefined) return found;
  throw new BorealisError(
    'invalid',
    'engine-binary',
    `mariadb-install-db, which fills a new data directory, is in none of ${places.join(', ')}`,
  );
}

function versionOutput(bin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      join(bin, 'mariadbd'),
      ['--no-defaults', '--version'],
      {timeout: VERSION_TIMEOUT_MS},
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trim());
        else reject(notRunning(bin, stderr.trim() === '' ? errorMessage(error) : stderr, error));
      },
    );
  });
}

function notRunning(bin: string, output: string, cause?: unknown): BorealisError {
  return new BorealisError(
    'unavailable',
    'engine-binary',
    `${join(bin, 'mariadbd')} does not start on this machine: ${output.trim().slice(0, OUTPUT_LENGTH_MAX)}`,
    cause,
  );
}
