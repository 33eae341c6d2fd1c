import {DescribeDBSubnetGroups$, type DescribeDBSubnetGroupsMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBSubnetGroups: Action = defineAction<DescribeDBSubnetGroupsMessage>(
  DescribeDBSubnetGroups$,
  (controlPlane, input) => controlPlane.describeDBSubnetGroups(input),
);
