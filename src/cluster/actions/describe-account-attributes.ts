/** DescribeAccountAttributes: the quotas and what is used of them. */
import type {AccountAttributesMessage} from '@aws-sdk/client-rds';
import {quotas} from '../quotas.ts';
import type {World} from '../world.ts';

/** What RDS tells for no limit is not known; this is more than anybody has. */
const NO_LIMIT = 2 ** 31 - 1;

export function describeAccountAttributes(world: World): AccountAttributesMessage {
  return {
    AccountQuotas: quotas(world).map(({name, used, limit}) => ({
      AccountQuotaName: name,
      Used: used,
      Max: limit === 0 ? NO_LIMIT : limit,
    })),
  };
}
