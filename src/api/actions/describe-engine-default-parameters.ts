import {
  DescribeEngineDefaultParameters$,
  type DescribeEngineDefaultParametersMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeEngineDefaultParameters: Action =
  defineAction<DescribeEngineDefaultParametersMessage>(
    DescribeEngineDefaultParameters$,
    (controlPlane, input) => controlPlane.describeEngineDefaultParameters(input),
  );
