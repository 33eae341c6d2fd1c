import {DescribeEventCategories$, type DescribeEventCategoriesMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeEventCategories: Action = defineAction<DescribeEventCategoriesMessage>(
  DescribeEventCategories$,
  (controlPlane, input) => controlPlane.describeEventCategories(input),
);
