/**
 * The RDS Query protocol at `/`: parameters in, XML out. The signature was verified before.
 *
 *     POST  parameters in the body, in the query string, or in both
 *     GET   parameters in the query string (a presigned URL)
 */
import type {ControlPlane} from '../cluster/control-plane.ts';
import {BorealisError} from '../base/errors.ts';
import {ACTIONS} from './actions.ts';
import type {Action} from './action.ts';
import {splitTarget} from './canonical-request.ts';
import {decodeInput} from './protocol/decode.ts';
import {encodeResult} from './protocol/encode.ts';
import {
  addFields,
  emptyNode,
  malformedInput,
  quoted,
  takeField,
  type FormNode,
} from './protocol/form.ts';
import {API_VERSION} from './protocol/model.ts';
import type {SignedRequest} from './signature.ts';

export type QueryCall = {readonly action: Action; readonly fields: FormNode};

const FORM_TYPE = 'application/x-www-form-urlencoded';
/** Parameters that carry a presigned URL's signature, not the action's input. */
const SIGNATURE_PARAMETERS: readonly string[] = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
];

/** Which action a request asks for, with the parameters that are its input. */
export function readQueryCall(request: SignedRequest): QueryCall {
  const fields = readFields(request);
  const name = takeField(fields, 'Action');
  const version = takeField(fields, 'Version');
  if (name === undefined || name === '') {
    throw new BorealisError('invalid', 'MissingAction', 'The request must name an Action.');
  }
  const action = version === API_VERSION ? ACTIONS.get(name) : undefined;
  if (action === undefined) {
    const versionText = version === undefined ? 'NO_VERSION_SPECIFIED' : quoted(version);
    throw new BorealisError(
      'invalid',
      'InvalidAction',
      `Could not find operation ${quoted(name)} for version ${versionText}.`,
    );
  }
  return {action, fields};
}

/** Decodes all of the input before anything is done, and returns the answer's XML. */
export async function runQueryCall(
  {action, fields}: QueryCall,
  controlPlane: ControlPlane,
  requestId: string,
): Promise<string> {
  const input = decodeInput(action.schema[4], fields);
  return encodeResult(action.schema, await action.run(controlPlane, input), requestId);
}

function readFields({method, target, headers, body}: SignedRequest): FormNode {
  const root = emptyNode();
  addFields(root, splitTarget(target).query);
  for (const name of SIGNATURE_PARAMETERS) takeField(root, name);
  if (body.length === 0) return root;
  const [type = FORM_TYPE] = headers['content-type'] ?? [];
  if (method === 'GET' || type.split(';', 1)[0]?.trim().toLowerCase() !== FORM_TYPE) {
    throw malformedInput(`A body must come by POST with content type ${FORM_TYPE}.`);
  }
  addFields(root, body.toString('latin1'));
  return root;
}
