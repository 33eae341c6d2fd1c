/** Worker entry: one line of one zone. See zone-thread.ts. */
import fs from 'node:fs';
import {workerData} from 'node:worker_threads';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from './directory-zone.ts';
import type {ZoneWorkerData} from './thread-channel.ts';
import {ThreadLine} from './thread-line.ts';
import {ZoneBoard} from './zone-board.ts';
import {ZoneExecutor} from './zone-executor.ts';
import {runZoneThread, ZoneThread} from './zone-thread.ts';
import type {Zone} from './zone.ts';

const data = workerData as ZoneWorkerData;
const board = new ZoneBoard(data.board);
const line = new ThreadLine(data.line, data.shared);

runZoneThread(line, board, () => {
  const executor = new ZoneExecutor({
    zone: openZone(data.zones[data.index]),
    peer: name => openZone(data.zones.find(zone => zone.name === name)),
    publish: lsn => board.publish(data.index, lsn),
  });
  try {
    new ZoneThread(line, board, executor).serve();
  } finally {
    executor.close();
  }
});

/** A directory that is gone is not made again: its disk may be what is missing. */
function openZone(config: ZoneWorkerData['zones'][number] | undefined): Zone {
  if (config === undefined || !fs.existsSync(config.directory)) {
    const text = `the directory ${config?.directory} of zone ${config?.name} is not there`;
    throw new BorealisError('unavailable', 'zone-lost', text);
  }
  return openDirectoryZone(config.name, config.directory);
}
