/** The worker thread of `openClusterStorage` for short calls: runs them one after the other. */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {forkIdleVolume} from '../volume/open-volume.ts';
import type {StorageCall, StorageWorkerData} from './storage.ts';
import {answerCalls} from './worker-calls.ts';

const {zone: zoneConfig, nodeCacheBytes} = workerData as StorageWorkerData;
const zone = openDirectoryZone(zoneConfig.name, zoneConfig.directory);
openStore(zone);

function run(call: StorageCall): unknown {
  switch (call.method) {
    case 'allocateVolume':
      return allocateVolume(zone);
    case 'exists':
      return zone.readVolumeRecord(call.volume) !== null;
    case 'volumes':
      return zone.listVolumes().filter(volume => zone.readVolumeRecord(volume) !== null);
    case 'forkIdle':
      return forkIdleVolume({zone, volume: call.volume, nodeCacheBytes}, call.child);
    case 'remove':
      return zone.deleteVolumeRecord(call.volume);
    case 'ready':
      return true;
  }
}

assert(parentPort !== null, 'this file runs in a worker thread');
answerCalls(parentPort, run);
