/**
 * Brings the records of an older catalog format to what this release reads. Each step tells what the
 * records of the format before it lack; the catalog runs all that are needed in one transaction.
 *
 *     1 ▸ 2   events have categories; clusters and instances pending changes, clusters a backtrack window,
 *             three zones, and instances a parameter group. Golden volumes are made anew, to read the engine's settings.
 */
import type {ClusterSettings} from './records.ts';

type Fields = Readonly<Record<string, unknown>>;
/** What every record of a store gets. */
type Additions = Readonly<Record<string, (record: Fields) => Fields>>;

export const CATALOG_FORMAT = 2;
/** The oldest format that can be brought up. */
export const CATALOG_FORMAT_MIN = 1;

/** The step that leads to each format, by the store's name. */
const STEPS: ReadonlyMap<number, Additions> = new Map([
  [
    2,
    {
      events: () => ({categories: ['notification']}),
      clusters: ({settings}) => ({
        pending: null,
        settings: {
          ...(settings as ClusterSettings),
          backtrackWindowSeconds: 0,
          ...allZones(settings as ClusterSettings),
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

/** A region had the store's one zone; now it has three. */
function allZones({availabilityZones: [zone = '']}: ClusterSettings): Partial<ClusterSettings> {
  const region = zone.slice(0, -1);
  return {availabilityZones: ['a', 'b', 'c'].map(letter => region + letter)};
}

/** The record of the store `store` as this release has it, from one of format `from`. */
export function upgradedRecord(store: string, record: object, from: number): object {
  let upgraded: Fields = {...record};
  for (let format = from + 1; format <= CATALOG_FORMAT; format++) {
    upgraded = {...upgraded, ...STEPS.get(format)?.[store]?.(upgraded)};
  }
  return upgraded;
}
