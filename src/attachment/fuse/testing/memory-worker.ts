/**
 * Worker entry: serves a MemoryFileSystem, with a log that holds nothing but can be synced. A file
 * named `break-sync` in its root makes every later fdatasync fail, one named `break-serving` the
 * next look-up.
 */
import {closeSync, openSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {parentPort} from 'node:worker_threads';
import {assert} from '../../../base/assert.ts';
import {createLogger} from '../../../base/log.ts';
import type {Lsn} from '../../../page-store/ids.ts';
import {ROOT_INO} from '../../../volume-fs/types.ts';
import type {ServingWorkerData} from '../control.ts';
import {runServingThread, type ServedVolume} from '../serving-thread.ts';
import {MemoryFileSystem} from './memory-file-system.ts';

const port = parentPort;
assert(port !== null, 'this file is a worker');
/** No process has as many descriptors: EBADF. */
const BROKEN_FD = 1_000_000;

port.once('message', (data: ServingWorkerData) => {
  runServingThread(data, port, createLogger('fuse-test'), () => openMemoryVolume(data));
});

function openMemoryVolume(data: ServingWorkerData): ServedVolume {
  const directory = data.volume.zones[0]?.directory ?? '';
  const path = join(directory, 'log');
  const fd = openSync(path, 'w');
  const fs = new MemoryFileSystem();
  let lsn = 0 as Lsn;
  let durableLsn = 0 as Lsn;
  let barriers = 0;
  const exists = (name: string): boolean => {
    let found = false;
    fs.readDirectory(ROOT_INO, 0, entry => !(found ||= entry.name === name));
    return found;
  };
  return {
    fs: new Proxy(fs, {
      get: (target, key): unknown => {
        if (key === 'lookup') assert(!exists('break-serving'), 'nobody asked for this to break');
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    }),
    barrierTarget: () => {
      barriers++;
      lsn = (lsn + 1) as Lsn;
      const fds = [fd, exists('break-sync') ? BROKEN_FD : fd];
      return {fds, holdFd: null, lsn, isDurable: false};
    },
    noteDurable: durable => {
      assert(durable <= lsn && durable >= durableLsn, 'only what was asked for becomes durable');
      durableLsn = durable;
    },
    isWritable: () => true,
    mirrorLsn: () => null,
    changeZones: () => ({number: 0, current: [], broken: [], isSettled: true}),
    catchUp: () => false,
    fork: () => ({lsn, atMs: null, bytesWritten: 0, bytesCopied: 0, durationMs: 0}),
    setRetention: () => undefined,
    checkpoint: () => lsn,
    onIdle: () => undefined,
    freeBytes: () => 2 ** 40,
    close: () => {
      closeSync(fd);
      rmSync(path);
    },
    statistics: () => ({
      ...{lsn, durableLsn, barriers},
      ...{pagesRead: 0, pagesWritten: 0, bytesAppended: 0, nodesLoaded: 0, zones: []},
    }),
  };
}
