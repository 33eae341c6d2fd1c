import {ModifyDBClusterEndpoint$, type ModifyDBClusterEndpointMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBClusterEndpoint: Action = defineAction<ModifyDBClusterEndpointMessage>(
  ModifyDBClusterEndpoint$,
  (controlPlane, input) => controlPlane.modifyDBClusterEndpoint(input),
);
