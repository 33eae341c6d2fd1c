import {DeleteDBInstance$, type DeleteDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBInstance: Action = defineAction<DeleteDBInstanceMessage>(
  DeleteDBInstance$,
  (controlPlane, input) => controlPlane.deleteDBInstance(input),
);
