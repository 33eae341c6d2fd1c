/**
 * Makes the one backend act as a given role, as if that role had logged in.
 *
 * PGlite's backend is a standalone one: it authenticated nobody and is the bootstrap superuser for
 * ever. `SET SESSION AUTHORIZATION` alone would not hold a client back, since what decides whether a
 * session may set it again is the *authenticated* user. So a switch does what
 * InitializeSessionUserId (miscinit.c) does for a real login:
 *
 *     session_authorization   set as the session's default, so that RESET and DISCARD ALL stay at it
 *     role                    none
 *     AuthenticatedUserId     written in the module's memory: no function for it is exported
 *
 * Where that variable lies is found at each start, never assumed: a marker set through the exported
 * SetUserIdAndSecContext finds CurrentUserId, beside which lie its siblings; the only word there that
 * stays at the superuser's OID while the session user changes is the one. Then it is proven: with the word
 * written, the session must be refused to become the superuser again. If not, the engine does not open.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import {ADMIN_ROLE} from '../postgres/names.ts';
import type {Identity} from './channel.ts';
import type {BackendModule} from './backend-module.ts';

/** OID of the role that initdb makes. */
export const BOOTSTRAP_OID = 10;
export const BOOTSTRAP_IDENTITY: Identity = {name: ADMIN_ROLE, oid: BOOTSTRAP_OID};
/** A role that every PostgreSQL has under this OID. */
const PROBE_IDENTITY: Identity = {name: 'pg_monitor', oid: 3373};

/** guc.h: GucContext and GucSource. */
const PGC_BACKEND = 4;
const PGC_USERSET = 6;
const PGC_S_OVERRIDE = 10;
const PGC_S_SESSION = 13;

const WORD_BYTES = 4;
/** The module's static data ends below this; what follows is stack and heap. */
const STATIC_BYTES_MAX = 16 * 1024 * 1024;
/** The variables of miscinit.c lie this close together, in words. */
const NEIGHBOURHOOD_WORDS = 16;
const MARKERS: readonly number[] = [0x5eed_0001, 0x5eed_0002];

/** Runs one SQL statement and returns the SQLSTATE of its error, or null. */
type TryStatement = (sql: string) => string | null;

export class SessionIdentity {
  readonly #module: BackendModule;
  readonly #authenticatedIndex: number;
  #current: Identity = BOOTSTRAP_IDENTITY;

  /** Throws a BorealisError when the authenticated user cannot be set in this build of PGlite. */
  constructor(module: BackendModule, tryStatement: TryStatement) {
    this.#module = module;
    const currentUserIndex = findCurrentUser(module);
    setSessionUser(module, PROBE_IDENTITY.name);
    const words = memoryWords(module);
    const candidates: number[] = [];
    const last = currentUserIndex + NEIGHBOURHOOD_WORDS;
    for (let index = currentUserIndex - NEIGHBOURHOOD_WORDS; index <= last; index++) {
      if (words[index] === BOOTSTRAP_OID) candidates.push(index);
    }
    const [index] = candidates;
    if (candidates.length !== 1 || index === undefined) {
      throw identityError(`${candidates.length} candidates for AuthenticatedUserId`);
    }
    this.#authenticatedIndex = index;
    words[index] = PROBE_IDENTITY.oid;
    const refusal = tryStatement(`SET SESSION AUTHORIZATION ${ADMIN_ROLE}`);
    if (refusal !== '42501') {
      throw identityError(`a session could become the superuser (SQLSTATE ${String(refusal)})`);
    }
    this.become(BOOTSTRAP_IDENTITY);
  }

  get current(): Identity {
    return this.#current;
  }

  /**
   * Outside a transaction only. Throws the module's longjmp when the role is gone; the caller then lets the
   * backend clean up, and is the superuser still.
   */
  become(identity: Identity): void {
    // Only a superuser may set another session user.
    memoryWords(this.#module)[this.#authenticatedIndex] = BOOTSTRAP_OID;
    this.#current = BOOTSTRAP_IDENTITY;
    setSessionUser(this.#module, identity.name);
    assert(this.#module._GetSessionUserId() === identity.oid, 'a role keeps its OID');
    memoryWords(this.#module)[this.#authenticatedIndex] = identity.oid;
    this.#current = identity;
  }
}

function setSessionUser(module: BackendModule, name: string): void {
  const stack = module.stackSave();
  module._StartTransactionCommand();
  const role = module.stringToUTF8OnStack('role');
  const none = module.stringToUTF8OnStack('none');
  module._SetConfigOption(role, none, PGC_USERSET, PGC_S_SESSION);
  const authorization = module.stringToUTF8OnStack('session_authorization');
  const value = module.stringToUTF8OnStack(name);
  // First the default to which RESET goes, then the reset: a default does not replace a set value.
  module._SetConfigOption(authorization, value, PGC_BACKEND, PGC_S_OVERRIDE);
  module._SetConfigOption(authorization, 0, PGC_USERSET, PGC_S_SESSION);
  module._CommitTransactionCommand();
  module.stackRestore(stack);
}

function findCurrentUser(module: BackendModule): number {
  const found = MARKERS.map(marker => {
    module._SetUserIdAndSecContext(marker, 0);
    const words = memoryWords(module).subarray(0, STATIC_BYTES_MAX / WORD_BYTES);
    const indexes = new Set<number>();
    for (let at = words.indexOf(marker); at >= 0; at = words.indexOf(marker, at + 1)) {
      indexes.add(at);
    }
    return indexes;
  });
  module._SetUserIdAndSecContext(BOOTSTRAP_OID, 0);
  const [first = new Set<number>(), second = new Set<number>()] = found;
  const both = [...first].filter(index => second.has(index));
  const [index] = both;
  if (both.length !== 1 || index === undefined) {
    throw identityError(`${both.length} places for CurrentUserId`);
  }
  return index;
}

function memoryWords(module: BackendModule): Int32Array {
  // Made anew each time: the buffer changes when the memory grows.
  return new Int32Array(module.HEAPU8.buffer);
}

function identityError(what: string): BorealisError {
  return new BorealisError(
    'internal',
    'pglite-identity',
    `this build of PGlite cannot hold its clients to their roles: ${what}`,
  );
}
