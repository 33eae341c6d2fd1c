/**
 * The secrets by which readers log in at their writers: one for each cluster, random, in memory alone.
 * A new service makes new ones, and the readers' writers take them before they fork.
 */
import {randomToken} from '../base/random.ts';

const SECRET_LENGTH = 40;

export type ReplicationSecret = {readonly secret: string; readonly verifier: string};

export class ReplicationSecrets {
  readonly #secrets = new Map<string, ReplicationSecret>();
  readonly #scramVerifier: (password: string) => string;

  constructor(scramVerifier: (password: string) => string) {
    this.#scramVerifier = scramVerifier;
  }

  of(clusterResourceId: string): ReplicationSecret {
    const found = this.#secrets.get(clusterResourceId);
    if (found !== undefined) return found;
    const secret = randomToken(SECRET_LENGTH);
    const made = {secret, verifier: this.#scramVerifier(secret)};
    this.#secrets.set(clusterResourceId, made);
    return made;
  }
}
