import {CreateDBParameterGroup$, type CreateDBParameterGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBParameterGroup: Action = defineAction<CreateDBParameterGroupMessage>(
  CreateDBParameterGroup$,
  (controlPlane, input) => controlPlane.createDBParameterGroup(input),
);
