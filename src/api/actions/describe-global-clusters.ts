import {DescribeGlobalClusters$, type DescribeGlobalClustersMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeGlobalClusters: Action = defineAction<DescribeGlobalClustersMessage>(
  DescribeGlobalClusters$,
  (controlPlane, input) => controlPlane.describeGlobalClusters(input),
);
