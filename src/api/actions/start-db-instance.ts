import {StartDBInstance$, type StartDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const startDBInstance: Action = defineAction<StartDBInstanceMessage>(
  StartDBInstance$,
  (controlPlane, input) => controlPlane.startDBInstance(input),
);
