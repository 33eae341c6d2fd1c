/**
 * The files of a data directory that the command reads and writes. The service owns the rest.
 *
 *     service.json        written by the service while it runs: url, region, pid
 *     credentials.json    written by the service, mode 0600: accessKeyId, secretAccessKey
 *     metrics-token       written by the service, mode 0600
 *     passwords/<id>.json written here, mode 0600: the master password of the cluster with that
 *                         resource id, so that `url`, `psql` and `clone` can use it
 *
 * A resource id is never used again, so a password never meets another cluster of the same name.
 */
import {chmod, mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join, resolve} from 'node:path';
import {BorealisError, errorMessage, systemErrorCode} from '../base/errors.ts';
import {randomHex} from '../base/random.ts';
import {METRICS_TOKEN_FILE, type Credentials, type ServiceFile} from '../cluster/data-directory.ts';

/** `--data`, else BOREALIS_DATA, else `~/.borealis`. */
export function resolveDataDirectory(option: string | undefined): string {
  const fromEnvironment = process.env['BOREALIS_DATA'];
  if (option === '') {
    throw new BorealisError('invalid', 'InvalidParameterValue', '--data names no directory');
  }
  return resolve(option ?? (fromEnvironment || join(home(), '.borealis')));
}

function home(): string {
  try {
    return homedir();
  } catch (error) {
    // No HOME, and a uid that /etc/passwd does not name.
    if (systemErrorCode(error) === undefined) throw error;
    throw new BorealisError(
      'invalid',
      'InvalidParameterValue',
      'This user has no home directory to keep data in; name a data directory with --data DIR or BOREALIS_DATA',
    );
  }
}

/** The option to repeat in commands that are shown to the person, or nothing for the default. */
export function dataOption(dataDirectory: string, quote: (word: string) => string): string {
  return dataDirectory === resolveDataDirectory(undefined) ? '' : ` --data ${quote(dataDirectory)}`;
}

/** Null when no service has written it, or the last one removed it on its way out. */
export async function readServiceFile(dataDirectory: string): Promise<ServiceFile | null> {
  const file = join(dataDirectory, 'service.json');
  const value = await readJson(file);
  if (value === null) return null;
  const {url, region, pid} = value;
  if (typeof url === 'string' && typeof region === 'string' && typeof pid === 'number') {
    return {url, region, pid};
  }
  throw notOurs(file, 'url, region and pid');
}

export async function readCredentials(dataDirectory: string): Promise<Credentials | null> {
  const file = join(dataDirectory, 'credentials.json');
  const value = await readJson(file);
  if (value === null) return null;
  const {accessKeyId, secretAccessKey} = value;
  if (typeof accessKeyId === 'string' && typeof secretAccessKey === 'string') {
    return {accessKeyId, secretAccessKey};
  }
  throw notOurs(file, 'accessKeyId and secretAccessKey');
}

export function metricsTokenFile(dataDirectory: string): string {
  return join(dataDirectory, METRICS_TOKEN_FILE);
}

/** Null when the password was set by other means than this command. */
export async function readPassword(
  dataDirectory: string,
  resourceId: string,
): Promise<string | null> {
  const value = await readJson(passwordFile(dataDirectory, resourceId));
  return typeof value?.['password'] === 'string' ? value['password'] : null;
}

export async function storePassword(
  dataDirectory: string,
  resourceId: string,
  password: string,
): Promise<void> {
  const file = passwordFile(dataDirectory, resourceId);
  const directory = join(dataDirectory, 'passwords');
  await mkdir(directory, {recursive: true, mode: 0o700});
  await chmod(directory, 0o700);
  // Renamed into place, so that no reader sees half of it.
  const draft = `${file}.${randomHex(4)}`;
  await writeFile(draft, `${JSON.stringify({password})}\n`, {mode: 0o600, flag: 'wx'});
  await rename(draft, file);
}

export async function forgetPassword(dataDirectory: string, resourceId: string): Promise<void> {
  await rm(passwordFile(dataDirectory, resourceId), {force: true});
}

function passwordFile(dataDirectory: string, resourceId: string): string {
  if (!/^[\w-]+$/.test(resourceId)) {
    throw new BorealisError(
      'internal',
      'bad-resource-id',
      `The service named a cluster's resource id ${JSON.stringify(resourceId)}; only letters, digits, hyphens and underscores are expected`,
    );
  }
  return join(dataDirectory, 'passwords', `${resourceId}.json`);
}

async function readJson(file: string): Promise<Record<string, unknown> | null> {
  const text = await readText(file);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return {...value};
  } catch (error) {
    throw notOurs(file, 'a JSON object', error);
  }
  throw notOurs(file, 'a JSON object');
}

/** Null when there is no such file. */
export async function readText(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new BorealisError(
      'invalid',
      'data-directory-unreadable',
      `${file} cannot be read (${errorMessage(error)}); use the account that ran \`borealis up\`, or name another directory with --data`,
      error,
    );
  }
}

function notOurs(file: string, wanted: string, cause?: unknown): BorealisError {
  return new BorealisError(
    'invalid',
    'data-directory-foreign',
    `${file} does not hold ${wanted}; is its directory really a Borealis data directory?`,
    cause,
  );
}
