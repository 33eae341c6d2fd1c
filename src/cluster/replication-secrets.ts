/**
 * The secrets by which readers log in at their writers: one for each cluster, random, in memory alone.
 * A new service makes new ones, and the readers' writers take them before they fork.
 */
import {randomToken} from '../base/random.ts';
import type {ClusterRecord} from './records.ts';
import type {World} from './world.ts';

const SECRET_LENGTH = 40;

export type ReplicationSecret = {readonly secret: string; readonly verifier: string};

export class ReplicationSecrets {
  readonly #secrets = new Map<string, ReplicationSecret>();
  readonly #passwordVerifier: World['passwordVerifier'];

  constructor(passwordVerifier: World['passwordVerifier']) {
    this.#passwordVerifier = passwordVerifier;
  }

  of({resourceId, engine}: Pick<ClusterRecord, 'resourceId' | 'engine'>): ReplicationSecret {
    const found = this.#secrets.get(resourceId);
    if (found !== undefined) return found;
    const secret = randomToken(SECRET_LENGTH);
    const made = {secret, verifier: this.#passwordVerifier(engine, secret)};
    this.#secrets.set(resourceId, made);
    return made;
  }
}
