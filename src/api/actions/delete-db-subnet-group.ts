import {DeleteDBSubnetGroup$, type DeleteDBSubnetGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const deleteDBSubnetGroup: Action = defineAction<DeleteDBSubnetGroupMessage>(
  DeleteDBSubnetGroup$,
  (controlPlane, input) => controlPlane.deleteDBSubnetGroup(input),
);
