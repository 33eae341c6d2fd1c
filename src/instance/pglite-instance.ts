/** PGlite on a volume, in this process: nothing is mounted and no other process started. */
import {assert} from '../base/assert.ts';
import type {GoldenVolume} from '../engine/engine.ts';
import {startPglite} from '../engine/pglite/pglite-engine.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import type {InstanceConfig, StepReport} from './messages.ts';
import {runningInstance, type LogTail, type RunningInstance} from './running-instance.ts';

/** Returns the engine's settings when `config.role` was `golden` and all is done. */
export async function startPgliteInstance(
  config: InstanceConfig,
  steps: {push(step: StepReport): unknown},
  onLog: (log: LogTail) => void,
  onZoneEvent: (event: ZoneEvent) => void,
): Promise<RunningInstance | GoldenVolume> {
  const {role} = config;
  assert(role !== 'reader', 'a PGlite cluster has no readers');
  const report = (step: StepReport): void => {
    steps.push(step);
  };
  const running = await startPglite({...config, role, onZoneEvent}, report, onLog);
  return 'settings' in running ? running : runningInstance(running, running.attachment);
}
