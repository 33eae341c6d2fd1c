import {ModifyDBInstance$, type ModifyDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBInstance: Action = defineAction<ModifyDBInstanceMessage>(
  ModifyDBInstance$,
  (controlPlane, input) => controlPlane.modifyDBInstance(input),
);
