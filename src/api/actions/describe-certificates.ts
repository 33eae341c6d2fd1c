import {DescribeCertificates$, type DescribeCertificatesMessage} from '@aws-sdk/client-rds';
import {defineAction, type Action} from '../action.ts';

export const describeCertificates: Action = defineAction<DescribeCertificatesMessage>(
  DescribeCertificates$,
  (controlPlane, input) => controlPlane.describeCertificates(input),
);
