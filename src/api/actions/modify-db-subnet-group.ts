import {ModifyDBSubnetGroup$, type ModifyDBSubnetGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const modifyDBSubnetGroup: Action = defineAction<ModifyDBSubnetGroupMessage>(
  ModifyDBSubnetGroup$,
  (controlPlane, input) => controlPlane.modifyDBSubnetGroup(input),
);
