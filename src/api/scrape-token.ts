/**
 * Who may scrape: whoever knows the token of the data directory (`Authorization: Bearer …`, which is what
 * Prometheus can send), or signs as for any other request.
 */
import {createHash, timingSafeEqual} from 'node:crypto';
import {BorealisError} from '../base/errors.ts';
import {verifySignature, type SignaturePolicy, type SignedRequest} from './signature.ts';

/** The scheme's name is compared without regard to case (RFC 7235). */
const BEARER = /^bearer +(\S+) *$/i;

export function verifyScraper(
  request: SignedRequest,
  policy: SignaturePolicy & {readonly scrapeToken: string},
): void {
  const authorization = request.headers['authorization'] ?? [];
  const [first = ''] = authorization;
  if (!/^bearer\b/i.test(first)) {
    verifySignature(request, policy);
    return;
  }
  const token = BEARER.exec(first)?.[1];
  // Digests have one length, so that not even that of the token shows in the time it takes.
  const isRight = token !== undefined && timingSafeEqual(digest(token), digest(policy.scrapeToken));
  if (isRight && authorization.length === 1) return;
  throw new BorealisError(
    'invalid',
    'InvalidBearerToken',
    'The bearer token is not that of this service: it is in the file metrics-token of the data directory.',
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
