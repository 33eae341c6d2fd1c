/** Worker entry: syncs and answers barriers, once it is told where. See sync-thread.ts. */
import {fdatasyncSync} from 'node:fs';
import {parentPort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {errorChain} from '../../base/errors.ts';
import type {SyncMessage, SyncWorkerData} from './control.ts';
import {send} from './device.ts';
import {SyncQueue} from './sync-queue.ts';
import {runSyncThread} from './sync-thread.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
port.once('message', ({deviceFd, queue}: SyncWorkerData) => {
  try {
    runSyncThread(new SyncQueue(queue), {
      sync: fdatasyncSync,
      reply: (message, length) => void send(deviceFd, message, 0, length),
    });
  } catch (error) {
    const message: SyncMessage = {type: 'failed', reason: errorChain(error)};
    port.postMessage(message);
  }
});
