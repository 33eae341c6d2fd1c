/**
 * The data directory, mode 0700:
 *
 *     borealis.json       marks the directory as Borealis's own, with its format version
 *     credentials.json    the access key that signs API calls (mode 0600)
 *     ca.pem, ca.key      see certificate-authority.ts
 *     metrics-token       what a scraper of /metrics proves itself by (mode 0600)
 *     service.json        url, region and pid while a service runs (mode 0600), for the CLI
 *     service.lock.N      see service-lock.ts
 *     catalog.mdb         see catalog.ts
 *     store/ZONE/         one complete copy of the store for each zone
 *     instances/NAME/     run directory of an instance: its engine's log
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {randomHex, randomResourceSuffix, randomToken} from '../base/random.ts';

const DATA_DIRECTORY_FORMAT = 1;
/** The certificate that TLS clients trust, in PEM. */
export const AUTHORITY_FILE = 'ca.pem';
export const METRICS_TOKEN_FILE = 'metrics-token';
const METRICS_TOKEN_LENGTH = 43;
/** Whoever writes a token of their own into the file shall not make it guessable. */
const METRICS_TOKEN_LENGTH_MIN = 16;
/** A golden volume, a first cluster and the reserve: less than this fails half-way. */
export const FREE_BYTES_MIN: number = 256 * 1024 * 1024;
/** A data directory that is full must open, so that something in it can be deleted. */
const REOPEN_FREE_BYTES_MIN = 8 * 1024 * 1024;

export type Credentials = {readonly accessKeyId: string; readonly secretAccessKey: string};
export type ServiceFile = {
  readonly url: string;
  readonly region: string;
  readonly pid: number;
};

/** Makes the directory if it is new, and refuses one that is not ours, not writable or on a full disk. */
export function openDataDirectory(directory: string, freeBytesMin: number = FREE_BYTES_MIN): void {
  try {
    makeDirectories(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    refuseForeign(directory);
    chmodSync(directory, 0o700);
  } catch (error) {
    if (error instanceof BorealisError) throw error;
    throw new BorealisError(
      'invalid',
      'data-directory-unusable',
      `The data directory ${directory} cannot be used (${systemErrorCode(error) ?? 'unknown error'}). Name a directory that this user may create and write.`,
      error,
    );
  }
  const marker = join(directory, 'borealis.json');
  const isNew = readJson(marker) === undefined;
  refuseFullDisk(directory, isNew ? freeBytesMin : Math.min(freeBytesMin, REOPEN_FREE_BYTES_MIN));
  if (isNew) {
    writeWhole(marker, {product: 'borealis', formatVersion: DATA_DIRECTORY_FORMAT});
  }
}

/** Reads the access key, or makes a random one that has never left this machine. */
export function openCredentials(directory: string): Credentials {
  const path = join(directory, 'credentials.json');
  const found = readJson(path);
  if (found !== undefined) {
    const {accessKeyId, secretAccessKey} = found;
    if (typeof accessKeyId === 'string' && typeof secretAccessKey === 'string') {
      return {accessKeyId, secretAccessKey};
    }
    throw new BorealisError(
      'corrupt',
      'credentials-unreadable',
      `${path} holds no accessKeyId and secretAccessKey. Restore it, or delete it to have a new key made.`,
    );
  }
  const credentials = {
    accessKeyId: `AKIA${randomResourceSuffix(16)}`,
    secretAccessKey: randomToken(40),
  };
  writeWhole(path, credentials);
  return credentials;
}

/** Reads the scrape token, or makes a random one. Plain text, so that Prometheus can be given the file. */
export function openMetricsToken(directory: string): string {
  const path = join(directory, METRICS_TOKEN_FILE);
  if (!existsSync(path)) {
    const token = randomToken(METRICS_TOKEN_LENGTH);
    writeTextWhole(path, `${token}\n`);
    return token;
  }
  const token = readFileSync(path, 'utf8').trim();
  if (new RegExp(`^[!-~]{${METRICS_TOKEN_LENGTH_MIN},}$`).test(token)) return token;
  throw new BorealisError(
    'corrupt',
    'metrics-token-unreadable',
    `${path} must hold one token of at least ${METRICS_TOKEN_LENGTH_MIN} printable characters and nothing else. Restore it, or delete it to have a new one made.`,
  );
}

export function writeServiceFile(directory: string, file: ServiceFile): void {
  writeWhole(join(directory, 'service.json'), file);
}

export function removeServiceFile(directory: string): void {
  rmSync(join(directory, 'service.json'), {force: true});
}

/** Not `recursive`: Node never returns where a parent exists but takes no children, as in /proc. */
function makeDirectories(directory: string): void {
  const missing: string[] = [];
  for (let at = resolve(directory); !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const each of missing) {
    try {
      mkdirSync(each, {mode: 0o700});
    } catch (error) {
      // Another starter may have made it just now.
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
  }
}

function refuseForeign(directory: string): void {
  const names = readdirSync(directory);
  const marker = join(directory, 'borealis.json');
  const found = readJson(marker);
  if (found === undefined) {
    // A start that was cut off before the marker leaves at most its temporary file.
    if (names.every(name => name.startsWith('borealis.json.new'))) return;
    throw new BorealisError(
      'invalid',
      'data-directory-foreign',
      `The directory ${directory} is not empty and has no borealis.json: it is not a Borealis data directory. Name a new or an empty one.`,
    );
  }
  if (found['product'] !== 'borealis' || found['formatVersion'] !== DATA_DIRECTORY_FORMAT) {
    throw new BorealisError(
      'invalid',
      'data-directory-format',
      `${marker} has format version ${String(found['formatVersion'])}; this Borealis uses version ${DATA_DIRECTORY_FORMAT}. Use the release that wrote it, or another directory.`,
    );
  }
}

function refuseFullDisk(directory: string, freeBytesMin: number): void {
  const {bavail, bsize} = statfsSync(directory);
  const freeBytes = bavail * bsize;
  if (freeBytes >= freeBytesMin) return;
  throw new BorealisError(
    'quota',
    'disk-full',
    `The disk of ${directory} has ${freeBytes} bytes free; at least ${freeBytesMin} are needed to start. Free some space, or name a directory on another disk.`,
  );
}

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    if (!statSync(path).isFile()) return {};
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? {...value} : {};
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Readers see the old file or the new one, never a part, and no one but the owner sees either. */
export function writeWhole(path: string, value: object): void {
  writeTextWhole(path, `${JSON.stringify(value, null, 2)}\n`);
}

function writeTextWhole(path: string, text: string): void {
  const temporary = `${path}.new-${randomHex(8)}`;
  writeFileSync(temporary, text, {mode: 0o600, flag: 'wx', flush: true});
  renameSync(temporary, path);
}
