import {
  DescribeEventSubscriptions$,
  type DescribeEventSubscriptionsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeEventSubscriptions: Action = defineAction<DescribeEventSubscriptionsMessage>(
  DescribeEventSubscriptions$,
  (controlPlane, input) => controlPlane.describeEventSubscriptions(input),
);
