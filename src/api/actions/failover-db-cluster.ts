import {FailoverDBCluster$, type FailoverDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const failoverDBCluster: Action = defineAction<FailoverDBClusterMessage>(
  FailoverDBCluster$,
  (controlPlane, input) => controlPlane.failoverDBCluster(input),
);
