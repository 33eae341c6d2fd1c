import {CreateDBInstance$, type CreateDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBInstance: Action = defineAction<CreateDBInstanceMessage>(
  CreateDBInstance$,
  (controlPlane, input) => controlPlane.createDBInstance(input),
);
