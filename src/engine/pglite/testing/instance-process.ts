/**
 * A process that serves one PGlite volume, to be killed: `instance-process.ts <config as JSON>`. Says `{port}` over IPC,
 * takes `{fork: volume}`, and answers `{forked: volume}`.
 */
import type {VolumeNumber} from '../../../page-store/ids.ts';
import {startPglite, type PgliteConfig} from '../pglite-engine.ts';

const config = JSON.parse(process.argv[2] ?? '') as PgliteConfig;
const running = await startPglite(config, () => undefined);
if ('settings' in running || process.send === undefined) throw new Error('a writer with a channel');
process.on('disconnect', () => process.exit(1));
process.on('message', (message: {fork: VolumeNumber}) => {
  void running.attachment.fork(message.fork).then(() => process.send?.({forked: message.fork}));
});
process.send({port: running.port});
