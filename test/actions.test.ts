/**
 * Every action that Borealis performs succeeds, and gives each of its faults, at the SDK's client.
 * docs/action-faults.md is made of what is tried here: `--update` writes it.
 */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {StartDBInstanceCommand, StopDBInstanceCommand} from '@aws-sdk/client-rds';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {ACTIONS} from '../src/api/actions.ts';
import {EVENT_CASES, SERVICE_CASES, TAG_CASES} from './actions/account-cases.ts';
import {CLUSTER_CASES} from './actions/cluster-cases.ts';
import {Context, type ActionCases} from './actions/context.ts';
import {PARAMETER_GROUP_CASES, SUBNET_GROUP_CASES} from './actions/group-cases.ts';
import {INSTANCE_CASES} from './actions/instance-cases.ts';
import {UNREACHABLE_OF_ACTION, whyUnreachable} from './actions/unreachable-faults.ts';

const CASES: ActionCases = {
  ...CLUSTER_CASES,
  ...INSTANCE_CASES,
  ...PARAMETER_GROUP_CASES,
  ...SUBNET_GROUP_CASES,
  ...TAG_CASES,
  ...EVENT_CASES,
  ...SERVICE_CASES,
  // They are there to be refused, as RDS does.
  StartDBInstance: {
    InvalidParameterCombination: async c =>
      c.rds.send(new StartDBInstanceCommand({DBInstanceIdentifier: `${await c.cluster(1)}-0`})),
  },
  StopDBInstance: {
    InvalidParameterCombination: async c =>
      c.rds.send(new StopDBInstanceCommand({DBInstanceIdentifier: `${await c.cluster(1)}-0`})),
  },
};
const NEVER_SUCCEED = ['StartDBInstance', 'StopDBInstance'];
const NAMES = Object.keys(CASES).sort();

/** The faults that the SDK declares for an action: in its documentation alone. */
function declaredFaults(action: string): string[] {
  const path = `../node_modules/@aws-sdk/client-rds/dist-types/commands/${action}Command.d.ts`;
  const text = readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
  return [...text.matchAll(/@throws \{@link (\w+)\}/g)]
    .flatMap(([, fault]) => fault ?? [])
    .filter(fault => fault !== 'RDSServiceException');
}

describe.each(NAMES)('%s', action => {
  let context: Context;
  beforeAll(async () => {
    context = await Context.open();
  });
  afterEach(() => context.restoreQuotas());
  afterAll(() => context.close());

  test.each(Object.entries(CASES[action] ?? {}))('%s', async (outcome, run) => {
    if (outcome === 'success') {
      await run(context);
      return;
    }
    await expect(run(context)).rejects.toMatchObject({
      name: outcome,
      message: expect.stringMatching(/\w.+\w/),
      $metadata: {
        httpStatusCode: expect.toSatisfy((status: number) => status >= 400 && status < 500),
      },
    });
  });
});

test('every action that is performed is tried', () => {
  expect(NAMES).toEqual([...ACTIONS.keys()].sort());
  const untried = NAMES.filter(name => CASES[name]?.['success'] === undefined);
  expect(untried).toEqual(NEVER_SUCCEED);
});

test('every fault that is declared for an action is tried, or cannot arise', () => {
  const performed = NAMES.filter(name => !NEVER_SUCCEED.includes(name));
  const open = performed.flatMap(action =>
    declaredFaults(action)
      .filter(fault => CASES[action]?.[fault] === undefined)
      .filter(fault => whyUnreachable(action, fault) === undefined)
      .map(fault => `${action} ${fault}`),
  );
  expect(open).toEqual([]);
  const needless = UNREACHABLE_OF_ACTION.filter(key => {
    const [action = '', fault = ''] = key.split(' ');
    return CASES[action]?.[fault] !== undefined || !declaredFaults(action).includes(fault);
  });
  expect(needless).toEqual([]);
});

test('docs/action-faults.md is what is tried (--update writes it)', async () => {
  await expect(faultTable()).toMatchFileSnapshot('../docs/action-faults.md');
});

function faultTable(): string {
  const tried = NAMES.flatMap(name => Object.keys(CASES[name] ?? {}));
  const faults = tried.filter(outcome => outcome !== 'success');
  return `# Actions and their faults

Each of the ${NAMES.length} actions that Borealis performs, with what is tried through the AWS SDK: that it succeeds, and its
${faults.length} faults. Beside them stands what the RDS API declares for the action and cannot arise here. Every action answers
\`InvalidParameterValue\`, \`InvalidParameterCombination\` or \`MissingParameter\` to bad input, and the faults of signatures;
those have tests of their own. Engines are stand-ins in these tests, all else is the service's own. Made by
\`npx vitest run test/actions.test.ts --update\`; the test holds it current.

| action | succeeds | faults that are tried | cannot arise |
|---|---|---|---|
${NAMES.map(row).join('\n')}
`;
}

function row(action: string): string {
  const outcomes = Object.keys(CASES[action] ?? {}).sort();
  const faults = outcomes.filter(outcome => outcome !== 'success');
  const why = new Map<string, string[]>();
  for (const fault of NEVER_SUCCEED.includes(action) ? [] : declaredFaults(action)) {
    if (outcomes.includes(fault)) continue;
    const reason = whyUnreachable(action, fault) ?? '';
    why.set(reason, [...(why.get(reason) ?? []), fault]);
  }
  const never = [...why].map(([reason, names]) => `${names.join(', ')}: ${reason}`);
  const cells = [
    action,
    outcomes.includes('success') ? 'yes' : 'never',
    faults.join(', '),
    never.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}
