import {
  RestoreDBClusterToPointInTime$,
  type RestoreDBClusterToPointInTimeMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const restoreDBClusterToPointInTime: Action =
  defineAction<RestoreDBClusterToPointInTimeMessage>(
    RestoreDBClusterToPointInTime$,
    (controlPlane, input) => controlPlane.restoreDBClusterToPointInTime(input),
  );
