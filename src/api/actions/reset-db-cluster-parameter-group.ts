import {
  ResetDBClusterParameterGroup$,
  type ResetDBClusterParameterGroupMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const resetDBClusterParameterGroup: Action =
  defineAction<ResetDBClusterParameterGroupMessage>(
    ResetDBClusterParameterGroup$,
    (controlPlane, input) => controlPlane.resetDBClusterParameterGroup(input),
  );
