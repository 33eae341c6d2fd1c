import {DescribeDBParameters$, type DescribeDBParametersMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBParameters: Action = defineAction<DescribeDBParametersMessage>(
  DescribeDBParameters$,
  (controlPlane, input) => controlPlane.describeDBParameters(input),
);
