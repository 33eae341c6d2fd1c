/**
 * Notes of master passwords, which the CLI keeps for `borealis url` and `psql`: `passwords/ID.json` in the
 * data directory, by the cluster's resource id. The service reads none; it takes away those that tell
 * nothing true any more.
 */
import {readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {systemErrorCode} from '../base/errors.ts';
import type {World} from './world.ts';

type NotesWorld = Pick<World, 'catalog' | 'passwordsDirectory'>;
const EXTENSION = '.json';

/** The cluster goes, or its password was changed by somebody who did not write it down. */
export function forgetPasswordNote(
  {passwordsDirectory}: Pick<World, 'passwordsDirectory'>,
  resourceId: string,
): void {
  rmSync(join(passwordsDirectory, resourceId + EXTENSION), {force: true});
}

/** Notes whose cluster is gone: it was deleted by a service that left them behind. */
export function forgetOrphanedNotes(world: NotesWorld): void {
  const known = new Set(world.catalog.clusters.list().map(({resourceId}) => resourceId));
  for (const name of notesIn(world.passwordsDirectory)) {
    if (!name.startsWith('cluster-') || !name.endsWith(EXTENSION)) continue;
    const resourceId = name.slice(0, -EXTENSION.length);
    if (!known.has(resourceId)) forgetPasswordNote(world, resourceId);
  }
}

function notesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
