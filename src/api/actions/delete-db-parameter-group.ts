import {DeleteDBParameterGroup$, type DeleteDBParameterGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBParameterGroup: Action = defineAction<DeleteDBParameterGroupMessage>(
  DeleteDBParameterGroup$,
  (controlPlane, input) => controlPlane.deleteDBParameterGroup(input),
);
