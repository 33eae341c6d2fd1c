/** Worker entry: syncs and answers barriers, once it is told where. See sync-thread.ts. */
import {fdatasyncSync, fstatSync} from 'node:fs';
import {parentPort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {errorChain} from '../../base/errors.ts';
import type {SyncMessage, SyncWorkerData} from './control.ts';
import {send} from './device.ts';
import {ZoneBoard} from '../../page-store/zone-board.ts';
import {SyncQueue} from './sync-queue.ts';
import {runSyncThread} from './sync-thread.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
port.once('message', ({deviceFd, queue, board}: SyncWorkerData) => {
  const zones = new ZoneBoard(board);
  try {
    runSyncThread(new SyncQueue(queue), {
      sync: fdatasyncSync,
      isLinked: fd => fstatSync(fd).nlink > 0,
      waitForQuorum: lsn => zones.waitUntilDurable(lsn),
      reply: (message, length) => void send(deviceFd, message, 0, length),
    });
  } catch (error) {
    const message: SyncMessage = {type: 'failed', reason: errorChain(error)};
    port.postMessage(message);
  }
});
