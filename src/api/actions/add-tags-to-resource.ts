import {AddTagsToResource$, type AddTagsToResourceMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const addTagsToResource: Action = defineAction<AddTagsToResourceMessage>(
  AddTagsToResource$,
  (controlPlane, input) => controlPlane.addTagsToResource(input),
);
