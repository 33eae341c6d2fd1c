import {
  DeleteDBClusterParameterGroup$,
  type DeleteDBClusterParameterGroupMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBClusterParameterGroup: Action =
  defineAction<DeleteDBClusterParameterGroupMessage>(
    DeleteDBClusterParameterGroup$,
    (controlPlane, input) => controlPlane.deleteDBClusterParameterGroup(input),
  );
