import picocolors from 'picocolors';
import {expect, test} from 'vitest';
import {renderQuotas} from './quota.ts';

test('quotas show what is used, and that a limit is lifted', () => {
  const quotas = [
    {name: 'DBClusters', used: 3, limit: 40},
    {name: 'DBInstances', used: 12, limit: 0},
  ];
  expect(renderQuotas(quotas, picocolors.createColors(false))).toBe(
    ['QUOTA        USED  LIMIT', 'DBClusters      3     40', 'DBInstances    12   none', ''].join(
      '\n',
    ),
  );
});
