/**
 * Bytes on disk for each byte that is reachable, sampled while TPC-B runs on a cluster (`--seconds`,
 * ten minutes by default), and what the store takes once everything is deleted.
 */
import {sleep} from '../src/base/clock.ts';
import {BenchService} from './bench-service.ts';
import {loadTpcB, tpcB} from './pgbench.ts';
import {atMost, reported, type BenchOptions, type Report} from './report.ts';

const AMPLIFICATION_MAX = 1.5;
const SAMPLE_MS = 5_000;
/** What loading left over is given back before the steady load is looked at. */
const SETTLE_MS = 20_000;
const DELETE_WAIT_MS = 60_000;
const CLIENTS = 4;

export async function benchSpace(options: BenchOptions): Promise<Report> {
  const service = await BenchService.start(options.postgresBin);
  try {
    const {writer} = await service.create('bench');
    const storage = () => service.service.storage();
    const loadS = await loadTpcB(writer, options.scale ?? 30);
    options.log(`loaded in ${loadS.toFixed(0)} s`);
    await sleep(SETTLE_MS);
    const seconds = options.seconds ?? 600;
    const load = tpcB(writer, {clients: CLIENTS, readOnly: false, seconds});
    let worst = 0;
    let tps: number | null = null;
    while (tps === null) {
      const {store} = await storage();
      worst = Math.max(worst, store.amplification ?? 0);
      options.log(`${store.amplification?.toFixed(3)} of ${store.bytesReachable / 2 ** 20} MiB`);
      tps = await Promise.race([load, sleep(SAMPLE_MS).then(() => null)]);
    }
    const before = (await storage()).store.bytesOnDisk;
    await service.delete('bench');
    options.log('deleted');
    const deletedMs = performance.now();
    let after = await storage();
    for (let waitedMs = 0; waitedMs < DELETE_WAIT_MS; waitedMs += SAMPLE_MS) {
      if (after.store.bytesOnDisk < before && after.deleted.length === 0) break;
      await sleep(SAMPLE_MS);
      after = await storage();
    }
    options.log(`given back in ${((performance.now() - deletedMs) / 1000).toFixed(0)} s`);
    const golden = after.golden.reduce((sum, {logicalBytes}) => sum + logicalBytes, 0);
    return {
      name: 'space',
      metrics: [
        atMost('on disk / reachable, worst under load', worst, 'ratio', AMPLIFICATION_MAX),
        reported('load', tps, 'tps'),
        reported('on disk under load', before / 2 ** 20, 'MiB'),
        reported('on disk when all is deleted', after.store.bytesOnDisk / 2 ** 20, 'MiB'),
        atMost(
          'of that, on disk / golden volumes',
          after.store.bytesOnDisk / golden,
          'ratio',
          AMPLIFICATION_MAX,
        ),
      ],
    };
  } finally {
    await service.stop();
  }
}
