import {StartDBCluster$, type StartDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const startDBCluster: Action = defineAction<StartDBClusterMessage>(
  StartDBCluster$,
  (controlPlane, input) => controlPlane.startDBCluster(input),
);
