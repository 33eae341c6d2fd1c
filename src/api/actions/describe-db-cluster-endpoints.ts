import {
  DescribeDBClusterEndpoints$,
  type DescribeDBClusterEndpointsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBClusterEndpoints: Action = defineAction<DescribeDBClusterEndpointsMessage>(
  DescribeDBClusterEndpoints$,
  (controlPlane, input) => controlPlane.describeDBClusterEndpoints(input),
);
