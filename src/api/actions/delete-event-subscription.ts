import {DeleteEventSubscription$, type DeleteEventSubscriptionMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteEventSubscription: Action = defineAction<DeleteEventSubscriptionMessage>(
  DeleteEventSubscription$,
  (controlPlane, input) => controlPlane.deleteEventSubscription(input),
);
