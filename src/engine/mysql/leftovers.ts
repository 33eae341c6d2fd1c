/** What a directory that was forked from, or left by, a running server still says of it. */
import {readdir, readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {systemErrorCode} from '../../base/errors.ts';
import {randomHex} from '../../base/random.ts';
import {makeFor, type Workplace} from './workplace.ts';
import {writePrivately} from './settings.ts';

const SERVER_ID_FILE = 'server-id';
const SERVER_ID_MAX = 2 ** 32 - 1;

/** Temporary files and the process's number. Call it before each start. */
export async function removeLeftovers(place: Workplace): Promise<void> {
  await rm(place.temporary, {recursive: true, force: true});
  await makeFor(place.user, place.temporary);
  await removeFiles(place, name => name.endsWith('.pid'));
}

/**
 * How the source followed another server: its replica settings and the relay logs that it had not yet
 * applied. A clone does not go on with it. Call it before the server starts, which only then reads them.
 */
export async function removeReplicaFiles(place: Workplace): Promise<void> {
  await removeFiles(
    place,
    name =>
      /^(?:master|relay-log|multi-master)(?:-.*)?\.info$/.test(name) ||
      /(?:^|-)relay(?:-bin)?(?:-.*)?\.(?:\d+|index)$/.test(name),
  );
}

async function removeFiles(
  {files}: Workplace,
  isLeftover: (name: string) => boolean,
): Promise<void> {
  for (const name of await readdir(files)) {
    if (isLeftover(name)) await rm(join(files, name), {force: true});
  }
}

/**
 * The number by which a server is known among those that replicate. A cluster keeps its own; one that
 * comes from another takes a new one, and so does each reader.
 */
export async function serverId(place: Workplace, isNew: boolean): Promise<number> {
  const path = join(place.dataDirectory, SERVER_ID_FILE);
  const kept = isNew ? 0 : await readServerId(path);
  if (kept > 0) return kept;
  const made = (Number.parseInt(randomHex(4), 16) % (SERVER_ID_MAX - 1)) + 1;
  await writePrivately(place, path, `${made}\n`);
  return made;
}

/** 0 where there is none, or a crash cut it off. */
async function readServerId(path: string): Promise<number> {
  try {
    const text = await readFile(path, 'latin1');
    return /^\d+\n$/.test(text) ? Number(text) : 0;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
