import {ResetDBParameterGroup$, type ResetDBParameterGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const resetDBParameterGroup: Action = defineAction<ResetDBParameterGroupMessage>(
  ResetDBParameterGroup$,
  (controlPlane, input) => controlPlane.resetDBParameterGroup(input),
);
