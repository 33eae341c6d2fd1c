import {
  DescribeDBClusterParameters$,
  type DescribeDBClusterParametersMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBClusterParameters: Action = defineAction<DescribeDBClusterParametersMessage>(
  DescribeDBClusterParameters$,
  (controlPlane, input) => controlPlane.describeDBClusterParameters(input),
);
