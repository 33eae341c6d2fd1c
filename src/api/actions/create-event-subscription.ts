import {CreateEventSubscription$, type CreateEventSubscriptionMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createEventSubscription: Action = defineAction<CreateEventSubscriptionMessage>(
  CreateEventSubscription$,
  (controlPlane, input) => controlPlane.createEventSubscription(input),
);
