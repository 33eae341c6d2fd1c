/** Clients of the engines: found where they are installed, and run in this terminal. */
import {spawn} from 'node:child_process';
import {constants} from 'node:fs';
import {access, readdir} from 'node:fs/promises';
import {delimiter, join} from 'node:path';
import {BorealisError} from '../base/errors.ts';

/** Where Debian and its kin keep the versions that are not on PATH. */
const DEBIAN_POSTGRESQL = '/usr/lib/postgresql';

/** psql on PATH, else the newest of Debian's. */
export async function findPsql(): Promise<string> {
  const found = await findProgram(['psql'], await debianBinDirectories());
  if (found !== null) return found;
  throw new BorealisError(
    'not-found',
    'psql-not-found',
    'psql is not installed (neither on PATH nor in /usr/lib/postgresql); install it (`apt install postgresql-client`, `brew install libpq`), or give another client what `borealis url NAME` prints',
  );
}

/** MariaDB's client on PATH, else MySQL's. */
export async function findMysql(): Promise<string> {
  const found = await findProgram(['mariadb', 'mysql'], []);
  if (found !== null) return found;
  throw new BorealisError(
    'not-found',
    'mysql-not-found',
    'neither mariadb nor mysql is on PATH; install one (`apt install mariadb-client`, `brew install mariadb`), or give another client what `borealis url NAME` prints',
  );
}

/** Runs a client in this terminal and returns its exit status. */
export async function runClient(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  // Ctrl-C is the client's: it cancels a statement there and must not end us before it.
  process.on('SIGINT', ignore);
  try {
    const child = spawn(program, args, {stdio: 'inherit', env: {...process.env, ...environment}});
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}

/** A listener that does nothing keeps a signal from ending us. */
function ignore(): void {}

/** The first of `names` on PATH, or else in `directories`. */
async function findProgram(
  names: readonly string[],
  directories: readonly string[],
): Promise<string | null> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(part => part !== '');
  for (const name of names) {
    for (const directory of [...onPath, ...directories]) {
      const program = join(directory, name);
      if (await isExecutable(program)) return program;
    }
  }
  return null;
}

async function debianBinDirectories(): Promise<string[]> {
  const versions = await readdir(DEBIAN_POSTGRESQL).catch(() => []);
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map(version => join(DEBIAN_POSTGRESQL, version, 'bin'));
}

async function isExecutable(program: string): Promise<boolean> {
  return access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
}
