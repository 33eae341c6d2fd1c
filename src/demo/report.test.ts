import picocolors from 'picocolors';
import {expect, test} from 'vitest';
import {renderDemo, renderProofs} from './report.ts';

const plain = picocolors.createColors(false);

test('the table tells the four pages of each side with what is shared and owned', () => {
  const side = (owned: number, ...reads: string[]) => ({shared: 20_113 - owned, owned, reads});
  const text = renderDemo(
    {
      scale: 10,
      method: 'copy-on-write',
      engine: 'PostgreSQL 18.4',
      runtime: 'native',
      sourceBytes: 164_765_696,
      clone: {
        callMs: 12.3,
        toFirstQueryMs: 312,
        acknowledgedBefore: 1234,
        acknowledgedMeanwhile: 200,
        writerLongestPauseMs: 40,
      },
      cloneSteps: [{name: 'fork', durationMs: 3}],
      cloneStartSteps: [],
      bytesCopiedAtBirth: 0,
      secondClone: {toFirstQueryMs: 290, pagesAtBirth: {shared: 20_113, owned: 0}},
      fourPages: {
        before: {
          source: side(5, 'Page 1', 'Page 2', 'Page 3', 'Page 4'),
          clone: side(7, 'Page 1', 'Page 2', 'Page 3', 'Page 4'),
        },
        afterSourceWrote: {
          source: side(9, "Page 1'", 'Page 2', 'Page 3', 'Page 4'),
          clone: side(7, 'Page 1', 'Page 2', 'Page 3', 'Page 4'),
        },
        afterCloneWrote: {
          source: side(9, "Page 1'", 'Page 2', 'Page 3', 'Page 4'),
          clone: side(12, 'Page 1', 'Page 2', 'Page 3', "Page 4'"),
        },
      },
    },
    plain,
  );
  expect(text).toContain('copy-on-write, on PostgreSQL 18.4, runtime native');
  expect(text).toMatch(/^bytes copied at birth +0 B$/m);
  const table = text.slice(text.indexOf('WHEN'));
  expect(table).toBe(`\
WHEN                  CLUSTER       READS                             PAGES SHARED  OWNED
before                orders        Page 1   Page 2  Page 3  Page 4         20,108      5
                      orders-clone  Page 1   Page 2  Page 3  Page 4         20,106      7
orders wrote 1        orders        Page 1'  Page 2  Page 3  Page 4         20,104      9  +4
                      orders-clone  Page 1   Page 2  Page 3  Page 4         20,106      7
orders-clone wrote 4  orders        Page 1'  Page 2  Page 3  Page 4         20,104      9
                      orders-clone  Page 1   Page 2  Page 3  Page 4'        20,101     12  +5
`);
});

test('a proof that did not hold is named with its evidence', () => {
  const held = {claim: 'a', held: true, evidence: 'x'};
  expect(renderProofs([held], plain)).toBe('All 1 proofs held.\n');
  expect(renderProofs([held, {claim: 'b', held: false, evidence: 'lost 1'}], plain)).toBe(
    '1 of 2 proofs did not hold:\n  b: lost 1\n',
  );
});
