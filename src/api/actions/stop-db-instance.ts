import {StopDBInstance$, type StopDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const stopDBInstance: Action = defineAction<StopDBInstanceMessage>(
  StopDBInstance$,
  (controlPlane, input) => controlPlane.stopDBInstance(input),
);
