import {DescribeDBClusters$, type DescribeDBClustersMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBClusters: Action = defineAction<DescribeDBClustersMessage>(
  DescribeDBClusters$,
  (controlPlane, input) => controlPlane.describeDBClusters(input),
);
