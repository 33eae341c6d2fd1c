import {DescribeSourceRegions$, type DescribeSourceRegionsMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeSourceRegions: Action = defineAction<DescribeSourceRegionsMessage>(
  DescribeSourceRegions$,
  (controlPlane, input) => controlPlane.describeSourceRegions(input),
);
