/**
 * DB instance classes: what memory a class stands for, and what settings follow from it.
 *
 *     class                            memory                       of a machine
 *     db.t3 · t4g     .medium .large   4 · 8 GiB                    with 16 GiB at most 4 GiB
 *     db.r5 · r6g · … .large .xlarge   16 · 32 · 64 …  doubling     count: a quarter of it
 *
 * On one machine many instances share what in RDS each has for itself, so a class never counts for
 * more than a quarter of the machine's memory. Source of the sizes: "Hardware specifications for DB
 * instance classes" of the Aurora user guide.
 */
const GIB = 2 ** 30;
const HOST_SHARE = 4;
/** Of a size that this table does not have. */
const MEMORY_GIB_ABSENT = 16;

const BURSTABLE: readonly string[] = ['db.t3', 'db.t4g'];
const MEMORY_OPTIMISED: readonly string[] = [
  'db.r5',
  'db.r6g',
  'db.r6i',
  'db.r7g',
  'db.r7i',
  'db.r8g',
  'db.x2g',
];
/** Times the memory of `large`. */
const SIZES: Readonly<Record<string, number>> = {
  large: 1,
  xlarge: 2,
  '2xlarge': 4,
  '4xlarge': 8,
  '8xlarge': 16,
  '12xlarge': 24,
  '16xlarge': 32,
};
const LARGE_GIB = 16;
/** The x2g classes have twice the memory of the others. */
const LARGE_GIB_X2G = 32;
const BURSTABLE_GIB: Readonly<Record<string, number>> = {medium: 4, large: 8};

/** As DescribeOrderableDBInstanceOptions lists them. */
export const INSTANCE_CLASSES: readonly string[] = [
  ...BURSTABLE.flatMap(family => Object.keys(BURSTABLE_GIB).map(size => `${family}.${size}`)),
  ...MEMORY_OPTIMISED.flatMap(family => Object.keys(SIZES).map(size => `${family}.${size}`)),
].sort();

/** What the class counts for on a machine with so much memory, in bytes. */
export function classMemoryBytes(instanceClass: string, hostMemoryBytes: number): number {
  return Math.min(nominalGib(instanceClass) * GIB, Math.floor(hostMemoryBytes / HOST_SHARE));
}

function nominalGib(instanceClass: string): number {
  const [, family = '', size = ''] = instanceClass.split('.');
  if (family.startsWith('t')) return BURSTABLE_GIB[size] ?? MEMORY_GIB_ABSENT;
  const factor = SIZES[size];
  if (factor === undefined) return MEMORY_GIB_ABSENT;
  return factor * (family.startsWith('x') ? LARGE_GIB_X2G : LARGE_GIB);
}
