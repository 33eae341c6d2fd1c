import {constants} from 'node:fs';
import {access, readdir} from 'node:fs/promises';
import {delimiter, join} from 'node:path';
import {BorealisError} from '../base/errors.ts';

/** Where Debian and its kin keep the versions that are not on PATH. */
const DEBIAN_POSTGRESQL = '/usr/lib/postgresql';

/** psql on PATH, else the newest of Debian's. */
export async function findPsql(): Promise<string> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(part => part !== '');
  for (const directory of [...onPath, ...(await debianBinDirectories())]) {
    const program = join(directory, 'psql');
    if (await isExecutable(program)) return program;
  }
  throw new BorealisError(
    'not-found',
    'psql-not-found',
    'psql is not installed (neither on PATH nor in /usr/lib/postgresql); install it (`apt install postgresql-client`, `brew install libpq`), or give another client what `borealis url NAME` prints',
  );
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
