import {ModifyDBParameterGroup$, type ModifyDBParameterGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBParameterGroup: Action = defineAction<ModifyDBParameterGroupMessage>(
  ModifyDBParameterGroup$,
  (controlPlane, input) => controlPlane.modifyDBParameterGroup(input),
);
