/** The configuration of a server that runs, and changes to it, one after the other. */
import type {Postmaster} from './postmaster.ts';
import {writeConfiguration, type SettingsInput} from './settings.ts';
import type {Workplace} from './workplace.ts';

export class Configuration {
  readonly #place: Workplace;
  readonly #postmaster: Postmaster;
  #current: SettingsInput;
  #last: Promise<void> = Promise.resolve();

  constructor(place: Workplace, postmaster: Postmaster, written: SettingsInput) {
    this.#place = place;
    this.#postmaster = postmaster;
    this.#current = written;
  }

  /** Writes the files anew and has the server read them; what takes effect does so for sessions to come. */
  async change(part: Partial<Omit<SettingsInput, 'port' | 'socketDirectory'>>): Promise<void> {
    const work = this.#last.then(async () => {
      this.#current = {...this.#current, ...part};
      await writeConfiguration(this.#place.configDirectory, this.#current, this.#place.user.owner);
      this.#postmaster.reload();
    });
    this.#last = work.catch(() => undefined);
    await work;
  }
}
