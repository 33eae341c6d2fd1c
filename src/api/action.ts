/**
 * An action of the RDS API: a schema, which decodes and encodes, and a meaning. To add one, write a
 * file in `actions/` and put it in the list of `actions.ts`.
 */
import type {ControlPlane} from '../cluster/control-plane.ts';
import type {DecodedInput} from './protocol/decode.ts';
import type {OperationSchema} from './protocol/model.ts';

export type Action = {
  /** As in the `Action` parameter, e.g. `CreateDBCluster`. */
  readonly name: string;
  readonly schema: OperationSchema;
  run(controlPlane: ControlPlane, input: DecodedInput): Promise<object>;
};

/** `Input` must be the type that the SDK gives to the schema's input: the decoder makes it so. */
// oxlint-disable-next-line no-unnecessary-type-parameters -- it says what `run` may read
export function defineAction<Input extends object>(
  schema: OperationSchema,
  run: (controlPlane: ControlPlane, input: Input) => Promise<object>,
): Action {
  return {
    name: schema[2],
    schema,
    // oxlint-disable-next-line no-unsafe-type-assertion -- the schema that decoded it says so
    run: (controlPlane, input) => run(controlPlane, input as Input),
  };
}
