/** The instance processes that live, from before each is told what to open until it is gone. */
import type {
  InstanceLauncher,
  InstanceListener,
  InstanceProcess,
} from '../instance/instance-process.ts';
import type {InstanceConfig} from '../instance/messages.ts';

export type LaunchedProcess = {
  readonly config: InstanceConfig;
  readonly handle: InstanceProcess;
  /** It can be asked. */
  readonly isReady: boolean;
};

export class LaunchedProcesses {
  readonly #launch: InstanceLauncher['launch'];
  readonly #live = new Map<InstanceProcess, {config: InstanceConfig; isReady: boolean}>();

  constructor(launch: InstanceLauncher['launch']) {
    this.#launch = launch;
  }

  launch(config: InstanceConfig, listener: InstanceListener): InstanceProcess {
    const handle = this.#launch(config, listener);
    const entry = {config, isReady: false};
    this.#live.set(handle, entry);
    void handle.ready.then(
      () => {
        entry.isReady = true;
      },
      () => undefined,
    );
    void handle.exited.then(() => this.#live.delete(handle));
    return handle;
  }

  list(): LaunchedProcess[] {
    return [...this.#live].map(([handle, {config, isReady}]) => ({handle, config, isReady}));
  }
}
