import {DeleteDBCluster$, type DeleteDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBCluster: Action = defineAction<DeleteDBClusterMessage>(
  DeleteDBCluster$,
  (controlPlane, input) => controlPlane.deleteDBCluster(input),
);
