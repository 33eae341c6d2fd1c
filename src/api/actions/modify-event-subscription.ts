import {ModifyEventSubscription$, type ModifyEventSubscriptionMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyEventSubscription: Action = defineAction<ModifyEventSubscriptionMessage>(
  ModifyEventSubscription$,
  (controlPlane, input) => controlPlane.modifyEventSubscription(input),
);
