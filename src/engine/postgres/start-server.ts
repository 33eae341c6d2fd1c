/** A server on a port of its own, over a directory that an earlier server may have left in any state. */
import {readFile, readlink, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {BorealisError, systemErrorCode} from '../../base/errors.ts';
import {freeLoopbackPort, PORT_ATTEMPTS_MAX, portInUse} from '../loopback-port.ts';
import {spawnPostmaster, type Postmaster} from './postmaster.ts';
import {configurationFiles, writeConfiguration, type SettingsInput} from './settings.ts';
import type {Workplace} from './workplace.ts';

/** Port 0 takes any free one. */
export async function startOnPort(
  place: Workplace,
  settings: Omit<SettingsInput, 'port'>,
  wanted: number,
): Promise<{postmaster: Postmaster; port: number}> {
  const {configFile, hbaFile} = configurationFiles(place.configDirectory);
  for (let attempt = 1; ; attempt++) {
    const port = wanted === 0 ? await (place.proposePort ?? freeLoopbackPort)() : wanted;
    place.log.mark();
    await writeConfiguration(place.configDirectory, {...settings, port}, place.user.owner);
    const postmaster = await spawnPostmaster({
      ...place,
      dataDirectory: place.pgdata,
      argv: [
        join(place.bin, 'postgres'),
        '-D',
        place.pgdata,
        `--config_file=${configFile}`,
        `--hba_file=${hbaFile}`,
      ],
    });
    try {
      await postmaster.ready();
      return {postmaster, port};
    } catch (error) {
      await postmaster.stop('immediate');
      const taken = place.log.tail().includes('could not create any TCP/IP sockets');
      if (taken && wanted !== 0) throw portInUse(wanted, error);
      if (!taken || attempt === PORT_ATTEMPTS_MAX) throw error;
    }
  }
}

/**
 * What a directory that was forked from, or left by, a running server still says of it. `backup_label`
 * stays: servers from 15 on write none into a live directory, so one that is there must be obeyed.
 */
export async function removeLeftovers(pgdata: string): Promise<void> {
  const pidFile = join(pgdata, 'postmaster.pid');
  const pid = Number.parseInt(await readIfExists(pidFile), 10);
  if (pid > 0 && (await workingDirectory(pid)) === pgdata) {
    throw new BorealisError(
      'conflict',
      'engine-start',
      `process ${pid} is a PostgreSQL server on ${pgdata} already`,
    );
  }
  await rm(pidFile, {force: true});
  await rm(join(pgdata, 'postmaster.opts'), {force: true});
}

async function readIfExists(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/**
 * Of a process of our PID namespace; null if there is none such. Where /proc shows another namespace
 * than ours, we made ours, and no server but the one to come is in it.
 */
async function workingDirectory(pid: number): Promise<string | null> {
  try {
    if ((await readlink('/proc/self')) !== String(process.pid)) return null;
    return await readlink(`/proc/${pid}/cwd`);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
