/** Who is what in a cluster, and who would take over. */
import type {InstanceRecord} from './records.ts';

/** The instance that has the cluster volume; one that is being deleted only if there is no other. */
export function writerOf(instances: readonly InstanceRecord[]): InstanceRecord | undefined {
  const writers = instances.filter(instance => instance.role === 'writer');
  return writers.find(instance => instance.status !== 'deleting') ?? writers[0];
}

/** Readers that stay, in the order in which they take over: promotion tier, then size, then name. */
export function failoverOrder(instances: readonly InstanceRecord[]): InstanceRecord[] {
  return instances
    .filter(instance => instance.role === 'reader' && instance.status !== 'deleting')
    .sort(
      (a, b) =>
        a.promotionTier - b.promotionTier ||
        sizeOf(b.instanceClass) - sizeOf(a.instanceClass) ||
        (a.identifier < b.identifier ? -1 : 1),
    );
}

const NAMED_SIZES = ['nano', 'micro', 'small', 'medium', 'large', 'xlarge'] as const;

/** `db.r6g.large` → 4, `db.r6g.xlarge` → 5, `db.r6g.2xlarge` → 7: larger is more; what is unknown is least. */
export function sizeOf(instanceClass: string): number {
  const size = instanceClass.split('.')[2] ?? '';
  const multiple = /^(\d+)xlarge$/.exec(size)?.[1];
  if (multiple !== undefined) return NAMED_SIZES.length - 1 + Number(multiple);
  return NAMED_SIZES.findIndex(name => name === size);
}
