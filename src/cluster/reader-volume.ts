/**
 * The volume of a reader: a private fork of its cluster's, made anew for each start and let go of when
 * the process has ended. So whatever breaks a reader, or leaves it behind, is mended by starting it.
 *
 *     number taken ▸ in the instance's record ▸ writer admits readers ▸ writer forks
 *     process gone ▸ volume let go ▸ out of the record ▸ sweep
 *
 * A crash in between leaves a volume that recovery removes.
 */
import {crashPoint} from '../base/crash-point.ts';
import {errorChain} from '../base/errors.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import type {StepReport} from '../instance/messages.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {InstanceRecord} from './records.ts';
import type {World} from './world.ts';

type ReaderWorld = Pick<World, 'catalog' | 'storage' | 'logger'>;

export async function takeReaderVolume(
  {catalog, storage}: ReaderWorld,
  instance: InstanceRecord,
): Promise<VolumeNumber> {
  const volume = await storage.allocateVolume();
  crashPoint('reader.start.before-record');
  catalog.transaction(() => {
    catalog.instances.update(instance.identifier, record => ({...record, scratchVolume: volume}));
  });
  crashPoint('reader.start.after-record');
  return volume;
}

/** Rejects when the writer ends meanwhile. */
export async function forkForReader(
  writer: InstanceProcess,
  volume: VolumeNumber,
  verifier: string,
): Promise<readonly StepReport[]> {
  await writer.request('admitReaders', {verifier});
  const {steps} = await writer.request('fork', {child: volume, retentionSeconds: 0});
  crashPoint('reader.start.after-fork');
  return steps;
}

/** Its process is gone. What it alone held is freed by the next sweep. */
export async function dropReaderVolume(
  {catalog, storage, logger}: ReaderWorld,
  instance: InstanceRecord,
  volume: VolumeNumber,
): Promise<void> {
  try {
    crashPoint('reader.end.before-volume');
    await storage.remove(volume);
    crashPoint('reader.end.after-volume');
    catalog.transaction(() => {
      catalog.instances.update(instance.identifier, record =>
        record.scratchVolume === volume ? {...record, scratchVolume: null} : record,
      );
    });
  } catch (error) {
    // It is still in the record: the next start of the service removes it.
    logger.warn({instance: instance.identifier, volume}, errorChain(error));
  }
}
