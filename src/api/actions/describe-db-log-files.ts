import {DescribeDBLogFiles$, type DescribeDBLogFilesMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeDBLogFiles: Action = defineAction<DescribeDBLogFilesMessage>(
  DescribeDBLogFiles$,
  (controlPlane, input) => controlPlane.describeDBLogFiles(input),
);
