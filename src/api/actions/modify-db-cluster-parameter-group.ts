import {
  ModifyDBClusterParameterGroup$,
  type ModifyDBClusterParameterGroupMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBClusterParameterGroup: Action =
  defineAction<ModifyDBClusterParameterGroupMessage>(
    ModifyDBClusterParameterGroup$,
    (controlPlane, input) => controlPlane.modifyDBClusterParameterGroup(input),
  );
