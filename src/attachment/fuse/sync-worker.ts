/** Worker entry: syncs and answers barriers, once it is told where. See sync-thread.ts. */
import {fdatasyncSync, fstatSync} from 'node:fs';
import {parentPort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {sharedMonotonicUs} from '../../base/clock.ts';
import {errorChain} from '../../base/errors.ts';
import {BarrierLatency} from '../barrier-latency.ts';
import type {SyncMessage, SyncWorkerData} from './control.ts';
import {send} from './device.ts';
import {ZoneBoard} from '../../page-store/zone-board.ts';
import {SyncQueue} from './sync-queue.ts';
import {runSyncThread} from './sync-thread.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
port.once('message', ({deviceFd, queue, board, latency}: SyncWorkerData) => {
  const zones = new ZoneBoard(board);
  const barriers = new BarrierLatency(latency);
  try {
    runSyncThread(new SyncQueue(queue), {
      sync: fdatasyncSync,
      isLinked: fd => fstatSync(fd).nlink > 0,
      waitForQuorum: lsn => zones.waitUntilDurable(lsn),
      reply: (message, length) => void send(deviceFd, message, 0, length),
      nowUs: sharedMonotonicUs,
      noteLatency: durationUs => barriers.note(durationUs),
    });
  } catch (error) {
    const message: SyncMessage = {type: 'failed', reason: errorChain(error)};
    port.postMessage(message);
  }
});
