import {
  DescribeDBClusterParameterGroups$,
  type DescribeDBClusterParameterGroupsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBClusterParameterGroups: Action =
  defineAction<DescribeDBClusterParameterGroupsMessage>(
    DescribeDBClusterParameterGroups$,
    (controlPlane, input) => controlPlane.describeDBClusterParameterGroups(input),
  );
