/**
 * The service model: every action and fault of the RDS API, as the AWS SDK publishes them at run
 * time. Nothing about names, members or types is written down here a second time.
 *
 * Source: the schemas that `@aws-sdk/client-rds` exports beside its commands. An action is
 * `[9, namespace, name, traits, input, output]`, a fault `[-3, namespace, name, traits, …]`.
 */
import * as rds from '@aws-sdk/client-rds';
import {NormalizedSchema} from '@smithy/core/schema';
import {assert} from '../../base/assert.ts';

export type OperationSchema = typeof rds.CreateDBCluster$;
export type SchemaReference = OperationSchema[5];
type ErrorSchema = typeof rds.DBClusterNotFoundFault$;

export const API_VERSION = '2014-10-31';
export const SHAPE_NAMESPACE = 'com.amazonaws.rds';
export const XML_NAMESPACE: string = `http://rds.amazonaws.com/doc/${API_VERSION}/`;

const OPERATION_TAG = 9;
const ERROR_TAG = -3;

/** What a fault looks like on the wire. */
export type WireFault = {readonly code: string; readonly status: number};

/** Action name, e.g. `CreateDBCluster`, to its schema. */
export const OPERATIONS: ReadonlyMap<string, OperationSchema> = new Map(
  Object.values(rds)
    .filter((value): value is OperationSchema => Array.isArray(value) && value[0] === OPERATION_TAG)
    .map(schema => [schema[2], schema]),
);

/** Fault shape name, e.g. `DBInstanceNotFoundFault`, to code (`DBInstanceNotFound`) and status (404). */
export const FAULTS: ReadonlyMap<string, WireFault> = new Map(
  Object.values(rds)
    .filter((value): value is ErrorSchema => Array.isArray(value) && value[0] === ERROR_TAG)
    .filter(schema => schema[1] === SHAPE_NAMESPACE)
    .map(schema => [schema[2], wireFault(schema)]),
);

assert(OPERATIONS.size > 100 && FAULTS.size > 100, 'the SDK exports its schemas');

function wireFault(schema: ErrorSchema): WireFault {
  const {awsQueryError, httpError}: Readonly<Record<string, unknown>> =
    NormalizedSchema.of(schema).getMergedTraits();
  const [code, status]: readonly unknown[] = Array.isArray(awsQueryError) ? awsQueryError : [];
  return {
    code: typeof code === 'string' ? code : schema[2],
    status: [status, httpError].find(value => typeof value === 'number') ?? 400,
  };
}
