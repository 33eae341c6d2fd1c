import {ModifyDBCluster$, type ModifyDBClusterMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBCluster: Action = defineAction<ModifyDBClusterMessage>(
  ModifyDBCluster$,
  (controlPlane, input) => controlPlane.modifyDBCluster(input),
);
