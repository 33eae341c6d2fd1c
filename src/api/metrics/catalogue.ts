/** Every metric of Borealis's own, in the order in which the page has them. */
import {CLUSTER_FAMILIES, SERVICE_FAMILIES, STORE_FAMILIES} from './cluster-families.ts';
import type {Family} from './family.ts';
import {INSTANCE_FAMILIES} from './instance-families.ts';

export const FAMILIES: readonly Family[] = [
  ...CLUSTER_FAMILIES,
  ...INSTANCE_FAMILIES,
  ...STORE_FAMILIES,
  ...SERVICE_FAMILIES,
];
