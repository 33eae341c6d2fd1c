/** The worker thread behind `openClusterStorage`: runs the store's synchronous calls one after the other. */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {forkIdleVolume} from '../volume/open-volume.ts';
import {Reachability} from '../volume/reachability.ts';
import {sweep} from '../volume/sweeper.ts';
import type {StorageCall, StorageReply, StorageWorkerData} from './storage.ts';
import type {StoreUsage} from './storage-types.ts';

const {zone: zoneConfig, nodeCacheBytes} = workerData as StorageWorkerData;
const zone = openDirectoryZone(zoneConfig.name, zoneConfig.directory);
openStore(zone);
const reachability = new Reachability(zone);

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
    case 'sweep':
      return sweep(zone, reachability);
    case 'usage':
      return usage();
    case 'close':
      return reachability.close();
  }
}

function usage(): StoreUsage {
  const records = reachability.records();
  const measured = reachability.measureUsage(records);
  return {
    bytesOnDisk: zone
      .listVolumes()
      .flatMap((volume: VolumeNumber) => zone.listSegments(volume))
      .reduce((sum, {bytesOnDisk}) => sum + bytesOnDisk, 0),
    volumes: records.map((record, index) => {
      const pages = measured[index];
      assert(pages !== undefined, 'every volume was measured');
      return {volume: record.volume, source: record.source?.volume ?? null, ...pages};
    }),
  };
}

const port = parentPort;
assert(port !== null, 'this file runs in a worker thread');
port.on('message', (call: StorageCall) => {
  let reply: StorageReply;
  try {
    reply = {id: call.id, result: run(call)};
  } catch (error) {
    const known = error instanceof BorealisError;
    const {kind, code} = known ? error : {kind: 'internal' as const, code: 'storage'};
    reply = {id: call.id, error: {kind, code, message: errorMessage(error)}};
  }
  port.postMessage(reply);
});
