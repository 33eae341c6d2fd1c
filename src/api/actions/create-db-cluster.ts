import {CreateDBCluster$, type CreateDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBCluster: Action = defineAction<CreateDBClusterMessage>(
  CreateDBCluster$,
  (controlPlane, input) => controlPlane.createDBCluster(input),
);
