import {
  RemoveSourceIdentifierFromSubscription$,
  type RemoveSourceIdentifierFromSubscriptionMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const removeSourceIdentifierFromSubscription: Action =
  defineAction<RemoveSourceIdentifierFromSubscriptionMessage>(
    RemoveSourceIdentifierFromSubscription$,
    (controlPlane, input) => controlPlane.removeSourceIdentifierFromSubscription(input),
  );
