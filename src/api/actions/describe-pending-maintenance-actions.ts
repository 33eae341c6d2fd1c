import {
  DescribePendingMaintenanceActions$,
  type DescribePendingMaintenanceActionsMessage,
} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describePendingMaintenanceActions: Action =
  defineAction<DescribePendingMaintenanceActionsMessage>(
    DescribePendingMaintenanceActions$,
    (controlPlane, input) => controlPlane.describePendingMaintenanceActions(input),
  );
