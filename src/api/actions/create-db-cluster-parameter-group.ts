import {
  CreateDBClusterParameterGroup$,
  type CreateDBClusterParameterGroupMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBClusterParameterGroup: Action =
  defineAction<CreateDBClusterParameterGroupMessage>(
    CreateDBClusterParameterGroup$,
    (controlPlane, input) => controlPlane.createDBClusterParameterGroup(input),
  );
