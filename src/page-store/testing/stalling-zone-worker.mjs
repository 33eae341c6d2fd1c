// A zone's thread whose syncs do not return while a file named `stall` lies in the zone's directory.
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
syncBuiltinESMExports();
await import(new URL('../../../dist/page-store/zone-worker.js', import.meta.url));
