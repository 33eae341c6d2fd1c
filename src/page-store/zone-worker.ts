/** Worker entry: one line of one zone. See zone-thread.ts. */
import fs from 'node:fs';
import {workerData} from 'node:worker_threads';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from './directory-zone.ts';
import type {ZoneWorkerData} from './thread-channel.ts';
import {ThreadLine} from './thread-line.ts';
import {ZoneBoard} from './zone-board.ts';
import type {ZonePlace} from './zone-channel.ts';
import {ZoneExecutor} from './zone-executor.ts';
import {runZoneThread, ZoneThread} from './zone-thread.ts';
import type {Zone} from './zone.ts';

const data = workerData as ZoneWorkerData;
const board = new ZoneBoard(data.board);
const line = new ThreadLine(data.line, data.shared);
line.begin();

runZoneThread(line, board, () => {
  const executor = new ZoneExecutor({
    zone: openZone(data.zone),
    peer: ({source, sourceDirectory}) => openZone({name: source, directory: sourceDirectory ?? ''}),
    away,
    publish: lsn => board.publish(data.slot, lsn),
  });
  try {
    new ZoneThread(line, board, executor).serve();
  } finally {
    executor.close();
  }
});

/** Ends this thread, on the spot and without a last step, if it was given up while it was away. */
function away<T>(call: () => T): T {
  if (!line.goAway()) {
    throw new BorealisError('closed', 'zone-stopped', 'the thread of the zone is to end');
  }
  try {
    return call();
  } finally {
    if (!line.comeBack()) process.exit();
  }
}

/** A directory that is gone is not made again: its disk may be what is missing. */
function openZone({name, directory}: ZonePlace): Zone {
  if (!fs.existsSync(directory)) {
    const text = `the directory ${directory} of zone ${name} is not there`;
    throw new BorealisError('unavailable', 'zone-lost', text);
  }
  return openDirectoryZone(name, directory);
}
