/**
 * The configuration of a server that runs. Each change is written whole and taken by a reload, one
 * after the other, so that none undoes another: parameters and certificates come from the control plane,
 * and where a reader takes its changes from follows the writer.
 */
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {Postmaster} from './postmaster.ts';
import {withSession, type SocketAddress} from './session.ts';
import {writeConfiguration, type SettingsInput} from './settings.ts';
import type {Workplace} from './workplace.ts';

const RELOAD_TIMEOUT_MS = 10_000;
const RELOAD_POLL_MS = 2;

type Changes = Partial<Pick<SettingsInput, 'parameters' | 'replication' | 'tls'>>;

export class LiveSettings {
  readonly #place: Workplace;
  readonly #postmaster: Postmaster;
  readonly #address: SocketAddress;
  #settings: SettingsInput;
  #last: Promise<void> = Promise.resolve();

  constructor(
    place: Workplace,
    postmaster: Postmaster,
    address: SocketAddress,
    settings: SettingsInput,
  ) {
    this.#place = place;
    this.#postmaster = postmaster;
    this.#address = address;
    this.#settings = settings;
  }

  /** Resolves once the postmaster, and so every session to come, has the settings. */
  async change(changes: Changes): Promise<void> {
    const done = this.#last.then(() => this.#change(changes));
    this.#last = done.catch(() => undefined);
    await done;
  }

  async #change(changes: Changes): Promise<void> {
    this.#settings = {...this.#settings, ...changes};
    const {configDirectory, user} = this.#place;
    await writeConfiguration(configDirectory, this.#settings, user.owner);
    await withSession(this.#address, async session => {
      const deadlineMs = systemClock.monotonicMs() + RELOAD_TIMEOUT_MS;
      const loadedAt = async (): Promise<unknown> =>
        (await session.query('SELECT pg_conf_load_time()::text AS at'))[0]?.['at'];
      const before = await loadedAt();
      this.#postmaster.reload();
      while ((await loadedAt()) === before) {
        if (systemClock.monotonicMs() > deadlineMs) {
          const message = 'PostgreSQL did not reload its settings';
          throw new BorealisError('unavailable', 'engine-reload', message);
        }
        await sleep(RELOAD_POLL_MS);
      }
    });
  }
}
