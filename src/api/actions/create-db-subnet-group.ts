import {CreateDBSubnetGroup$, type CreateDBSubnetGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const createDBSubnetGroup: Action = defineAction<CreateDBSubnetGroupMessage>(
  CreateDBSubnetGroup$,
  (controlPlane, input) => controlPlane.createDBSubnetGroup(input),
);
