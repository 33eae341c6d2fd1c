import {RemoveTagsFromResource$, type RemoveTagsFromResourceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const removeTagsFromResource: Action = defineAction<RemoveTagsFromResourceMessage>(
  RemoveTagsFromResource$,
  (controlPlane, input) => controlPlane.removeTagsFromResource(input),
);
