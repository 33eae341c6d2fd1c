import {StopDBCluster$, type StopDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const stopDBCluster: Action = defineAction<StopDBClusterMessage>(
  StopDBCluster$,
  (controlPlane, input) => controlPlane.stopDBCluster(input),
);
