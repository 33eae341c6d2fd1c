import {
  DescribeOrderableDBInstanceOptions$,
  type DescribeOrderableDBInstanceOptionsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeOrderableDBInstanceOptions: Action =
  defineAction<DescribeOrderableDBInstanceOptionsMessage>(
    DescribeOrderableDBInstanceOptions$,
    (controlPlane, input) => controlPlane.describeOrderableDBInstanceOptions(input),
  );
