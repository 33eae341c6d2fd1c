import {QueryShapeSerializer, XmlShapeDeserializer} from '@aws-sdk/core/protocols';
import {NormalizedSchema} from '@smithy/core/schema';
import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {schemaArbitrary} from '../testing/schema-arbitrary.ts';
import {decodeInput} from './decode.ts';
import {encodeResult} from './encode.ts';
import {addFields, emptyNode} from './form.ts';
import {OPERATIONS, SHAPE_NAMESPACE, XML_NAMESPACE, type OperationSchema} from './model.ts';

/** Of each action; with all of them more than 3,000 inputs and as many results. */
const RUNS = 20;

const settings = {
  timestampFormat: {useTrait: true, default: 5 as const},
  httpBindings: false,
  xmlNamespace: XML_NAMESPACE,
  serviceNamespace: SHAPE_NAMESPACE,
  serializeEmptyLists: true,
};

function serializeAsSdk(schema: OperationSchema[4], input: object): string {
  const serializer = new QueryShapeSerializer(settings);
  serializer.write(NormalizedSchema.of(schema), input);
  return String(serializer.flush());
}

function decodeForm(schema: OperationSchema[4], form: string): object {
  const root = emptyNode();
  addFields(root, form);
  return decodeInput(schema, root);
}

describe.each([...OPERATIONS])('%s', (name, operation) => {
  it('decodes every input that the SDK serializes', () => {
    fc.assert(
      fc.property(schemaArbitrary(operation[4], {blankText: true}), input => {
        const decoded = decodeForm(operation[4], serializeAsSdk(operation[4], input));
        expect(decoded).toEqual(input);
      }),
      {numRuns: RUNS},
    );
  });

  it('encodes every result so that the SDK reads it back', async () => {
    const hasOutput = !NormalizedSchema.of(operation[5]).isUnitSchema();
    await fc.assert(
      fc.asyncProperty(schemaArbitrary(operation[5], {blankText: false}), async output => {
        const xml = encodeResult(operation, output, 'request-1');
        expect(xml).toMatch(
          new RegExp(`^<${name}Response xmlns="${XML_NAMESPACE}">.*</${name}Response>$`, 's'),
        );
        expect(xml).toContain(
          '<ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata>',
        );
        if (!hasOutput) return;
        const read: unknown = await new XmlShapeDeserializer(settings).read(
          NormalizedSchema.of(operation[5]),
          Buffer.from(xml),
          `${name}Result`,
        );
        expect(read).toEqual(output);
      }),
      {numRuns: RUNS},
    );
  });
});
