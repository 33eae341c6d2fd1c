import {
  DescribeAccountAttributes$,
  type DescribeAccountAttributesMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeAccountAttributes: Action = defineAction<DescribeAccountAttributesMessage>(
  DescribeAccountAttributes$,
  (controlPlane, input) => controlPlane.describeAccountAttributes(input),
);
