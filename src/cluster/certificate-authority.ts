/**
 * The certificate authority of a data directory: what clients trust, and what signs the certificates
 * that endpoints show.
 *
 *     ca.pem    its certificate, for `sslrootcert` (`borealis ca` prints it)
 *     ca.key    its key, mode 0600; it never leaves this process
 *
 * Made at the first start, for ten years. One that has less than a year left is replaced at the start of
 * the service: clients need the new certificate then, so it is said aloud.
 */
import {readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Clock} from '../base/clock.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';
import {randomHex} from '../base/random.ts';
import {isIssuedBy, issueAuthority, validityOf, type Credential} from '../base/x509.ts';
import {AUTHORITY_FILE} from './data-directory.ts';

const KEY_FILE = 'ca.key';
const DAY_MS = 24 * 60 * 60 * 1000;
const LIFETIME_MS = 3_652 * DAY_MS;
const REPLACED_MS_LEFT = 365 * DAY_MS;
/** Clocks of clients may be behind. */
export const BACKDATED_MS: number = DAY_MS;

type Surroundings = {readonly clock: Clock; readonly logger: Logger};

/** Reads the authority, or makes one where there is none or its time is running out. */
export function openAuthority(directory: string, {clock, logger}: Surroundings): Credential {
  const certificateFile = join(directory, AUTHORITY_FILE);
  const keyFile = join(directory, KEY_FILE);
  const certificate = readIfExists(certificateFile);
  const key = readIfExists(keyFile);
  if (certificate !== null) {
    const found = checked({certificate, key: key ?? ''}, certificateFile, keyFile);
    const leftMs = validityOf(certificate).notAfterMs - clock.nowMs();
    if (leftMs >= REPLACED_MS_LEFT) return found;
    logger.warn(
      {file: certificateFile},
      'the certificate authority had less than a year left and is replaced: give clients the new certificate, as `borealis ca` prints it',
    );
  }
  const now = clock.nowMs();
  const made = issueAuthority(`Borealis ${randomHex(4)}`, {
    notBeforeMs: now - BACKDATED_MS,
    notAfterMs: now + LIFETIME_MS,
  });
  // The certificate last: while it is not there, the next start makes both anew.
  if (certificate !== null) renameSync(certificateFile, `${certificateFile}.old`);
  writeWhole(keyFile, made.key);
  writeWhole(certificateFile, made.certificate);
  return made;
}

function checked(found: Credential, certificateFile: string, keyFile: string): Credential {
  try {
    if (isIssuedBy(found, found.certificate)) return found;
  } catch {
    // What does not parse is no better than what does not fit.
  }
  throw new BorealisError(
    'corrupt',
    'authority-unreadable',
    `${certificateFile} and ${keyFile} are not the certificate of an authority and its key. Restore them, or delete ${certificateFile} to have both made anew (clients then need the new certificate).`,
  );
}

function readIfExists(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function writeWhole(path: string, text: string): void {
  const temporary = `${path}.new-${randomHex(8)}`;
  writeFileSync(temporary, text, {mode: 0o600, flag: 'wx', flush: true});
  renameSync(temporary, path);
}
