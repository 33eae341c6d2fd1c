import {execFileSync} from 'node:child_process';
import {
  AddTagsToResource$,
  CreateDBCluster$,
  CreateIntegration$,
  DescribeDBClusters$,
  RestoreDBClusterToPointInTime$,
} from '@aws-sdk/client-rds';
import {describe, expect, it} from 'vitest';
import {BorealisError} from '../../base/errors.ts';
import {decodeInput, FRACTIONAL_MEMBERS} from './decode.ts';
import {addFields, emptyNode, FIELD_COUNT_MAX, NAME_DEPTH_MAX} from './form.ts';
import type {OperationSchema} from './model.ts';

function decode(operation: OperationSchema, form: string): object {
  const root = emptyNode();
  addFields(root, form);
  return decodeInput(operation[4], root);
}

function refusal(operation: OperationSchema, form: string): BorealisError {
  try {
    decode(operation, form);
  } catch (error) {
    if (error instanceof BorealisError) return error;
    throw error;
  }
  throw new Error('the form was taken');
}

const TAGS = 'ResourceName=arn&';
const CLUSTER = 'DBClusterIdentifier=orders&Engine=aurora-postgresql&';

describe('lists', () => {
  it.each([
    'Tags.Tag.1.Key=a&Tags.Tag.2.Key=b',
    'Tags.member.1.Key=a&Tags.member.2.Key=b',
    'Tags.Member.1.Key=a&Tags.Member.2.Key=b',
    'Tags.1.Key=a&Tags.2.Key=b',
    'Tags.Tag.20.Key=b&Tags.Tag.3.Key=a',
    'Tags.Tag.3.Key=a&Tags.member.20.Key=b',
  ])('are read from %s', form => {
    expect(decode(AddTagsToResource$, TAGS + form)).toEqual({
      ResourceName: 'arn',
      Tags: [{Key: 'a'}, {Key: 'b'}],
    });
  });

  it.each(['Tags=', 'Tags'])('are empty when written as %s', form => {
    expect(decode(AddTagsToResource$, TAGS + form)).toEqual({ResourceName: 'arn', Tags: []});
  });

  it.each([
    ['Tags.Tag.0.Key=a', "'Tags.Tag.0'"],
    ['Tags.Tag.01.Key=a', "'Tags.Tag.01'"],
    ['Tags.Tag.x.Key=a', "'Tags.Tag.x'"],
    ['Tags.Tag.1.Colour=a', "'Tags.Tag.1.Colour'"],
    ['Tags.Item.1.Key=a', "'Tags.Item'"],
    ['Tags=a', "'Tags'"],
    ['Tags.Tag=a', "'Tags.Tag'"],
    ['Tags.Tag.1.Key=a&Tags.1.Key=b', "Item 1 of the list 'Tags'"],
    ['Tags.Tag.1.Key.Deep=a', "'Tags.Tag.1.Key.Deep'"],
  ])('are refused as %s', (form, named) => {
    const {code, message} = refusal(AddTagsToResource$, TAGS + form);
    expect(code).toBe('MalformedInput');
    expect(message).toContain(named);
  });
});

it('reads a map of entries, whatever its keys are called', () => {
  const form = [
    'IntegrationName=i&SourceArn=s&TargetArn=t',
    'AdditionalEncryptionContext.entry.1.key=__proto__&AdditionalEncryptionContext.entry.1.value=1',
    'AdditionalEncryptionContext.entry.2.key=team&AdditionalEncryptionContext.entry.2.value=red',
  ].join('&');
  const context: unknown = Reflect.get(
    decode(CreateIntegration$, form),
    'AdditionalEncryptionContext',
  );
  expect(JSON.stringify(context)).toBe('{"__proto__":"1","team":"red"}');
});

describe('scalars', () => {
  it('are booleans in any case, integers, fractions where the API has them, and timestamps', () => {
    expect(
      decode(
        CreateDBCluster$,
        `${CLUSTER}DeletionProtection=TRUE&StorageEncrypted=false&Port=5432&ServerlessV2ScalingConfiguration.MinCapacity=0.5`,
      ),
    ).toMatchObject({
      DeletionProtection: true,
      StorageEncrypted: false,
      Port: 5432,
      ServerlessV2ScalingConfiguration: {MinCapacity: 0.5},
    });
  });

  it.each([
    ['2026-11-22T19:45:00Z', '2026-11-22T19:45:00.000Z'],
    ['2026-11-22T19:45:00.123456Z', '2026-11-22T19:45:00.123Z'],
    ['2026-11-22T21:45:00%2B02:00', '2026-11-22T19:45:00.000Z'],
  ])('take the timestamp %s', (text, iso) => {
    const input = decode(
      RestoreDBClusterToPointInTime$,
      `DBClusterIdentifier=c&RestoreToTime=${text}`,
    );
    expect(input).toEqual({DBClusterIdentifier: 'c', RestoreToTime: new Date(iso)});
  });

  it.each([
    '',
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-11-22',
    '2026-11-22T24:00:00Z',
    '1795376700',
  ])('refuse the timestamp %j', text => {
    const form = `DBClusterIdentifier=c&RestoreToTime=${text}`;
    expect(refusal(RestoreDBClusterToPointInTime$, form)).toMatchObject({
      code: 'InvalidParameterValue',
      message: `Invalid value '${text}' for RestoreToTime. Must be a timestamp such as 2026-11-22T19:45:00Z.`,
    });
  });

  it.each([
    ['Port=54x', "Invalid value '54x' for Port. Must be an integer."],
    ['Port=', "Invalid value '' for Port. Must be an integer."],
    ['Port=1.5', "Invalid value '1.5' for Port. Must be an integer."],
    ['Port=99999999999999999', "Invalid value '99999999999999999' for Port. Must be an integer."],
    [
      'ServerlessV2ScalingConfiguration.MinCapacity=NaN',
      "Invalid value 'NaN' for ServerlessV2ScalingConfiguration.MinCapacity. Must be a number.",
    ],
    [
      'DeletionProtection=yes',
      "Invalid value 'yes' for DeletionProtection. Must be true or false.",
    ],
    [
      'DatabaseName=a%00b',
      'The parameter DatabaseName contains the character U+0000, which is not allowed.',
    ],
  ])('are refused with their name and value: %s', (form, message) => {
    expect(refusal(CreateDBCluster$, CLUSTER + form)).toMatchObject({
      code: 'InvalidParameterValue',
      message,
    });
  });

  it('have fractions exactly where the model of botocore has them', context => {
    const script = `
import botocore.session
model = botocore.session.get_session().get_service_model('rds')
def walk(shape, owner, seen):
    if shape.type_name == 'structure' and shape.name not in seen:
        for name, member in shape.members.items():
            yield from walk(member, shape.name + '.' + name, seen | {shape.name})
    elif shape.type_name == 'list':
        yield from walk(shape.member, owner, seen)
    elif shape.type_name in ('double', 'float'):
        yield owner
inputs = [model.operation_model(name).input_shape for name in model.operation_names]
print(' '.join({owner for shape in inputs if shape for owner in walk(shape, '', frozenset())}))`;
    let members = '';
    try {
      members = execFileSync('python3', ['-c', script], {encoding: 'utf8', stdio: 'pipe'});
    } catch {
      context.skip('python3 with botocore is not installed here');
    }
    expect(new Set(members.trim().split(' '))).toEqual(FRACTIONAL_MEMBERS);
  });
});

describe('members', () => {
  it.each([
    ['Engine=aurora-postgresql', 'DBClusterIdentifier'],
    ['DBClusterIdentifier=&Engine=aurora-postgresql', 'DBClusterIdentifier'],
    ['DBClusterIdentifier=orders', 'Engine'],
  ])('that are required are named when missing or blank: %s', (form, name) => {
    expect(refusal(CreateDBCluster$, form)).toMatchObject({
      code: 'InvalidParameterValue',
      message: `The parameter ${name} must be provided and must not be blank.`,
    });
  });

  it('that are required inside a list are named with their place', () => {
    expect(refusal(DescribeDBClusters$, 'Filters.Filter.2.Name=engine').message).toContain(
      'The parameter Filters.Filter.2.Values must be provided',
    );
  });

  it('that the action does not have are refused by name, without their value', () => {
    const {code, message} = refusal(CreateDBCluster$, `${CLUSTER}MasterPassword=hunter22`);
    expect(code).toBe('MalformedInput');
    expect(message).toBe("The parameter 'MasterPassword' is not recognized.");
  });

  it.each(['__proto__=1', 'constructor.prototype.x=1', 'toString=1'])(
    'are never those that every object has: %s',
    form => {
      expect(refusal(DescribeDBClusters$, form).code).toBe('MalformedInput');
    },
  );
});

describe('a form', () => {
  it('has blanks as plus signs, escapes, and UTF-8', () => {
    expect(decode(CreateDBCluster$, `${CLUSTER}DatabaseName=a+b%2Bc%C3%A9&`)).toMatchObject({
      DatabaseName: 'a b+cé',
    });
  });

  it.each([
    ['a name twice', 'Marker=a&Marker=b', "'Marker' is given more than once"],
    ['a broken escape', 'Marker=%4', 'percent sign'],
    ['bytes that are no UTF-8', 'Marker=%FF', 'not UTF-8'],
    ['an empty name', '=a', 'empty part'],
    ['an empty part', 'Filters..Name=a', 'empty part'],
    [
      'too deep a name',
      Array(NAME_DEPTH_MAX + 1)
        .fill('a')
        .join('.'),
      `more than ${NAME_DEPTH_MAX} parts`,
    ],
    [
      'too many fields',
      'a&'.repeat(FIELD_COUNT_MAX + 1),
      `more than ${FIELD_COUNT_MAX} parameters`,
    ],
  ])('is refused for %s', (_, form, words) => {
    const {code, message} = refusal(DescribeDBClusters$, form);
    expect(code).toBe('MalformedInput');
    expect(message).toContain(words);
  });
});
