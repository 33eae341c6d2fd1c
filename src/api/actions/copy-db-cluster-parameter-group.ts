import {
  CopyDBClusterParameterGroup$,
  type CopyDBClusterParameterGroupMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const copyDBClusterParameterGroup: Action = defineAction<CopyDBClusterParameterGroupMessage>(
  CopyDBClusterParameterGroup$,
  (controlPlane, input) => controlPlane.copyDBClusterParameterGroup(input),
);
