import {CopyDBParameterGroup$, type CopyDBParameterGroupMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const copyDBParameterGroup: Action = defineAction<CopyDBParameterGroupMessage>(
  CopyDBParameterGroup$,
  (controlPlane, input) => controlPlane.copyDBParameterGroup(input),
);
