import {DescribeDBInstances$, type DescribeDBInstancesMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBInstances: Action = defineAction<DescribeDBInstancesMessage>(
  DescribeDBInstances$,
  (controlPlane, input) => controlPlane.describeDBInstances(input),
);
