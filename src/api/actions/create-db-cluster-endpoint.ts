import {CreateDBClusterEndpoint$, type CreateDBClusterEndpointMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBClusterEndpoint: Action = defineAction<CreateDBClusterEndpointMessage>(
  CreateDBClusterEndpoint$,
  (controlPlane, input) => controlPlane.createDBClusterEndpoint(input),
);
