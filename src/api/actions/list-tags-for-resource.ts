import {ListTagsForResource$, type ListTagsForResourceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const listTagsForResource: Action = defineAction<ListTagsForResourceMessage>(
  ListTagsForResource$,
  (controlPlane, input) => controlPlane.listTagsForResource(input),
);
