import {RebootDBInstance$, type RebootDBInstanceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const rebootDBInstance: Action = defineAction<RebootDBInstanceMessage>(
  RebootDBInstance$,
  (controlPlane, input) => controlPlane.rebootDBInstance(input),
);
