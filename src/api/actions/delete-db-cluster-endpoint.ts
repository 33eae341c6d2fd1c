import {DeleteDBClusterEndpoint$, type DeleteDBClusterEndpointMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBClusterEndpoint: Action = defineAction<DeleteDBClusterEndpointMessage>(
  DeleteDBClusterEndpoint$,
  (controlPlane, input) => controlPlane.deleteDBClusterEndpoint(input),
);
