/**
 * Answers of the Query protocol. The SDK's own serializer writes all of the XML: an answer is a
 * structure around the action's output, so a schema made on the spot describes it.
 *
 *     <DescribeDBClustersResponse xmlns="…">          <ErrorResponse xmlns="…">
 *       <DescribeDBClustersResult>…                     <Error> Type, Code, Message </Error>
 *       <ResponseMetadata><RequestId>…                  <RequestId>…
 *
 * An empty list appears as `<List/>`: clients tell it from a member that is absent.
 */
import {XmlShapeSerializer} from '@aws-sdk/core/protocols';
import {NormalizedSchema} from '@smithy/core/schema';
import {
  SHAPE_NAMESPACE,
  XML_NAMESPACE,
  type OperationSchema,
  type SchemaReference,
} from './model.ts';

const STRUCTURE_TAG = 3;
const STRING = 0;
const TIMESTAMP_DATE_TIME = 5;

const METADATA = structure('ResponseMetadata', {RequestId: STRING});
const ERROR = structure('Error', {Type: STRING, Code: STRING, Message: STRING});
const ERROR_RESPONSE = structure('ErrorResponse', {Error: ERROR, RequestId: STRING});
const responseSchemas = new Map<string, SchemaReference>();

export function encodeResult(
  operation: OperationSchema,
  output: object,
  requestId: string,
): string {
  const [, , name, , , outputSchema] = operation;
  let schema = responseSchemas.get(name);
  if (schema === undefined) {
    // An action without output, such as AddTagsToResource, has no result element.
    const hasOutput = !NormalizedSchema.of(outputSchema).isUnitSchema();
    schema = structure(`${name}Response`, {
      ...(hasOutput ? {[`${name}Result`]: outputSchema} : {}),
      ResponseMetadata: METADATA,
    });
    responseSchemas.set(name, schema);
  }
  return writeXml(schema, {[`${name}Result`]: output, ResponseMetadata: {RequestId: requestId}});
}

export type ErrorAnswer = {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly requestId: string;
};

export function encodeError({code, status, message, requestId}: ErrorAnswer): string {
  const type = status >= 500 ? 'Receiver' : 'Sender';
  return writeXml(ERROR_RESPONSE, {
    Error: {Type: type, Code: code, Message: message},
    RequestId: requestId,
  });
}

function structure(name: string, members: Record<string, SchemaReference>): SchemaReference {
  const names = Object.keys(members);
  return [STRUCTURE_TAG, SHAPE_NAMESPACE, name, 0, names, Object.values(members)];
}

function writeXml(schema: SchemaReference, value: object): string {
  const serializer = new XmlShapeSerializer({
    xmlNamespace: XML_NAMESPACE,
    serviceNamespace: SHAPE_NAMESPACE,
    timestampFormat: {useTrait: true, default: TIMESTAMP_DATE_TIME},
  });
  serializer.write(NormalizedSchema.of(schema), value);
  return withoutForbiddenCharacters(String(serializer.flush()));
}

/** XML 1.0 has no way to write these, not even escaped; one of them would spoil the whole answer. */
function withoutForbiddenCharacters(xml: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return xml.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD');
}
