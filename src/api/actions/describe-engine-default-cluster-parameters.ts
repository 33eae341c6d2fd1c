import {
  DescribeEngineDefaultClusterParameters$,
  type DescribeEngineDefaultClusterParametersMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeEngineDefaultClusterParameters: Action =
  defineAction<DescribeEngineDefaultClusterParametersMessage>(
    DescribeEngineDefaultClusterParameters$,
    (controlPlane, input) => controlPlane.describeEngineDefaultClusterParameters(input),
  );
