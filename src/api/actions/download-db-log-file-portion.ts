import {DownloadDBLogFilePortion$, type DownloadDBLogFilePortionMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const downloadDBLogFilePortion: Action = defineAction<DownloadDBLogFilePortionMessage>(
  DownloadDBLogFilePortion$,
  (controlPlane, input) => controlPlane.downloadDBLogFilePortion(input),
);
