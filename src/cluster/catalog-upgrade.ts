/**
 * Brings the records of an older catalog format to what this release reads. Each step tells what the
 * records of the format before it lack; the catalog runs all that are needed in one transaction.
 *
 *     1 ▸ 2   instances have roles: each cluster had one, its writer
 *     2 ▸ 3   clusters have an engine: there was one; events have categories; clusters and instances pending changes, clusters a backtrack window and
 *             a subnet group that there is, instances a parameter group. Golden volumes are made anew, to read
 *             the engine's settings.
 */
import type {ClusterSettings} from './records.ts';

type Fields = Readonly<Record<string, unknown>>;
/** What every record of a store gets. */
type Additions = Readonly<Record<string, (record: Fields) => Fields>>;

export const CATALOG_FORMAT = 3;
/** The oldest format that can be brought up. */
export const CATALOG_FORMAT_MIN = 1;

/** The step that leads to each format, by the store's name. */
const STEPS: ReadonlyMap<number, Additions> = new Map<number, Additions>([
  [2, {instances: () => ({role: 'writer', scratchVolume: null})}],
  [
    3,
    {
      events: () => ({categories: ['notification']}),
      clusters: ({settings}) => ({
        engine: 'aurora-postgresql',
        pending: null,
        settings: {
          ...(settings as ClusterSettings),
          backtrackWindowSeconds: 0,
          subnetGroupName: 'default',
        },
      }),
      instances: () => ({
        pending: null,
        parameterGroupName: null,
        parameters: null,
      }),
      'golden-volumes': () => ({ready: false}),
    },
  ],
]);

/** The record of the store `store` as this release has it, from one of format `from`. */
export function upgradedRecord(store: string, record: object, from: number): object {
  let upgraded: Fields = {...record};
  for (let format = from + 1; format <= CATALOG_FORMAT; format++) {
    upgraded = {...upgraded, ...STEPS.get(format)?.[store]?.(upgraded)};
  }
  return upgraded;
}
