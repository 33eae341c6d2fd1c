/** Worker entry: serves a real volume, once it is told which. */
import {parentPort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {createLogger} from '../../base/log.ts';
import {changeZones} from '../../page-store/open-zones.ts';
import {ZoneBoard} from '../../page-store/zone-board.ts';
import {openVolume, type ZoneHooks} from '../../volume/open-volume.ts';
import {formatVolumeFs} from '../../volume-fs/format-volume-fs.ts';
import {openVolumeFs} from '../../volume-fs/volume-fs.ts';
import type {AttachmentConfig} from '../attachment.ts';
import type {ServingMessage, ServingWorkerData} from './control.ts';
import {runServingThread, type ServedVolume} from './serving-thread.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
port.once('message', (data: ServingWorkerData) => {
  runServingThread(data, port, createLogger('fuse'), () => {
    return openServedVolume(data.volume, {
      board: new ZoneBoard(data.board),
      onZoneEvent: event => port.postMessage({type: 'zone-event', event} satisfies ServingMessage),
    });
  });
});

function openServedVolume(config: AttachmentConfig, hooks: ZoneHooks): ServedVolume {
  const volume = openVolume(config, hooks);
  if (config.format) formatVolumeFs(volume);
  return {
    fs: openVolumeFs(volume),
    barrierTarget: () => volume.barrierTarget(),
    isWritable: () => volume.isWritable(),
    mirrorLsn: () => volume.zone.mirror?.durableLsn() ?? null,
    changeZones: zones => changeZones(volume.zone, zones),
    catchUp: () => volume.zone.mirror?.step() ?? false,
    noteDurable: lsn => volume.noteDurable(lsn),
    fork: (child, options) => volume.fork(child, options),
    setRetention: seconds => volume.setRetention(seconds),
    checkpoint: () => volume.checkpoint(),
    onIdle: () => volume.onIdle(),
    close: () => volume.close(),
    statistics: () => volume.statistics(),
    freeBytes: () => volume.freeBytes(),
  };
}
