/** Serves the request that lies in the session's buffer. */
import {errorChain} from '../../base/errors.ts';
import {ENOSYS, errnoOf} from './errno.ts';
import {NO_REPLY} from './handlers.ts';
import {operationOf, type Operation} from './operations.ts';
import type {Session} from './session.ts';

/**
 * Returns the length of the reply that now lies in the session's buffer, or 0 when there is none to
 * write. Throws only what ends the session: a failed assertion, or an error of INIT.
 */
export function dispatch(session: Session): number {
  const {request, reply} = session;
  session.granted.length = 0;
  session.requestCount++;
  const operation = operationOf(request.opcode);
  const outcome = operation === undefined ? -ENOSYS : serve(session, operation);
  if (outcome === NO_REPLY) return 0;
  const errno = Math.max(-outcome, 0);
  return reply.finish(request.uniqueLow, request.uniqueHigh, errno, Math.max(outcome, 0));
}

function serve(session: Session, operation: Operation): number {
  if (operation.changes) session.changed = true;
  try {
    return operation.serve(session);
  } catch (error) {
    if (operation.name === 'INIT') throw error;
    session.takeBackGrants();
    const errno = errnoOf(error, unexpected => {
      session.log.error(
        {operation: operation.name, ino: session.request.nodeId, reason: errorChain(unexpected)},
        'request failed',
      );
    });
    // A FORGET has no reply, not even to say that it failed.
    return operation.name.endsWith('FORGET') ? NO_REPLY : -errno;
  }
}
