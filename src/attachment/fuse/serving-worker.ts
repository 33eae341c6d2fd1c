/** Worker entry: serves a real volume, once it is told which. */
import {parentPort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {createLogger} from '../../base/log.ts';
import {openVolume} from '../../volume/open-volume.ts';
import {formatVolumeFs} from '../../volume-fs/format-volume-fs.ts';
import {openVolumeFs} from '../../volume-fs/volume-fs.ts';
import type {AttachmentConfig} from '../attachment.ts';
import type {ServingWorkerData} from './control.ts';
import {runServingThread, type ServedVolume} from './serving-thread.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
port.once('message', (data: ServingWorkerData) => {
  runServingThread(data, port, createLogger('fuse'), () => openServedVolume(data.volume));
});

function openServedVolume(config: AttachmentConfig): ServedVolume {
  const volume = openVolume(config);
  if (config.format) formatVolumeFs(volume);
  return {
    fs: openVolumeFs(volume),
    barrierTarget: () => volume.barrierTarget(),
    noteDurable: lsn => volume.noteDurable(lsn),
    fork: child => volume.fork(child),
    checkpoint: () => volume.checkpoint(),
    onIdle: () => volume.onIdle(),
    close: () => volume.close(),
    statistics: () => volume.statistics(),
    freeBytes: () => volume.freeBytes(),
  };
}
