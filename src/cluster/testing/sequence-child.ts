/**
 * A service process to be killed: makes the calls of the JSON in `argv[4]` on the directory `argv[2]`,
 * for the account `argv[3]`, one after the other. A line of JSON follows each on stdout: the code of its
 * fault or null.
 */
import {writeSync} from 'node:fs';
import {makeCall} from './fleet-calls.ts';
import type {FleetCall} from './fleet-model.ts';
import {openTestService, settle} from './test-service.ts';

const [directory = '', account, calls = '[]'] = process.argv.slice(2);
const service = await openTestService(directory, undefined, account);
await settle(service);
// oxlint-disable-next-line no-unsafe-type-assertion -- its parent wrote it
for (const call of JSON.parse(calls) as FleetCall[]) {
  writeSync(1, `${JSON.stringify(await makeCall(service, call))}\n`);
}
await service.close();
