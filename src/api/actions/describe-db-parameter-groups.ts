import {
  DescribeDBParameterGroups$,
  type DescribeDBParameterGroupsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBParameterGroups: Action = defineAction<DescribeDBParameterGroupsMessage>(
  DescribeDBParameterGroups$,
  (controlPlane, input) => controlPlane.describeDBParameterGroups(input),
);
