import {DescribeEvents$, type DescribeEventsMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeEvents: Action = defineAction<DescribeEventsMessage>(
  DescribeEvents$,
  (controlPlane, input) => controlPlane.describeEvents(input),
);
