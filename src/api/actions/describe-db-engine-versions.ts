import {DescribeDBEngineVersions$, type DescribeDBEngineVersionsMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBEngineVersions: Action = defineAction<DescribeDBEngineVersionsMessage>(
  DescribeDBEngineVersions$,
  (controlPlane, input) => controlPlane.describeDBEngineVersions(input),
);
