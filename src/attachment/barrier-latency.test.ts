import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import {BARRIER_BOUNDS_S, BarrierLatency} from './barrier-latency.ts';

test('a barrier counts in the first bucket whose bound it does not exceed, whoever reads', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.integer({min: 0, max: 20_000_000}),
          fc.constantFrom(...BARRIER_BOUNDS_S.map(bound => bound * 1e6)),
        ),
      ),
      durationsUs => {
        const latency = new BarrierLatency();
        for (const durationUs of durationsUs) latency.note(durationUs);
        const {counts, sumSeconds} = new BarrierLatency(latency.shared).read();
        let below = 0;
        for (const [index, bound] of [...BARRIER_BOUNDS_S, Infinity].entries()) {
          below += counts[index] ?? Number.NaN;
          expect(below).toBe(durationsUs.filter(each => each <= bound * 1e6).length);
        }
        expect(sumSeconds).toBeCloseTo(durationsUs.reduce((sum, each) => sum + each, 0) / 1e6, 6);
      },
    ),
  );
});
