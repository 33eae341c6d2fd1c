// A zone's thread whose syncs do not return while a file named `stall` lies in the zone's directory, nor
// does who opens a file of a zone while one named `hang` lies there.
import fs from 'node:fs';
import {syncBuiltinESMExports} from 'node:module';
import path from 'node:path';
import {workerData} from 'node:worker_threads';

const {directory} = workerData.zone;
const word = new Int32Array(new SharedArrayBuffer(4));
for (const name of ['fdatasyncSync', 'fsyncSync']) {
  const sync = fs[name];
  fs[name] = descriptor => {
    while (fs.existsSync(path.join(directory, 'stall'))) Atomics.wait(word, 0, 0, 20);
    sync(descriptor);
  };
}
const {openSync} = fs;
fs.openSync = (file, ...how) => {
  const [zone] = String(file).split(`${path.sep}volumes${path.sep}`);
  while (fs.existsSync(path.join(zone, 'hang'))) Atomics.wait(word, 0, 0, 20);
  return openSync(file, ...how);
};
syncBuiltinESMExports();
await import(new URL('../../../dist/page-store/zone-worker.js', import.meta.url));
