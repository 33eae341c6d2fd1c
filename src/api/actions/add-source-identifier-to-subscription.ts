import {
  AddSourceIdentifierToSubscription$,
  type AddSourceIdentifierToSubscriptionMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const addSourceIdentifierToSubscription: Action =
  defineAction<AddSourceIdentifierToSubscriptionMessage>(
    AddSourceIdentifierToSubscription$,
    (controlPlane, input) => controlPlane.addSourceIdentifierToSubscription(input),
  );
