import type {IncomingMessage} from 'node:http';
import {BorealisError} from '../base/errors.ts';

/** Forms are small: the largest that the service model allows, 20 filters of 100 values, is about 200 KiB. */
export const BODY_BYTES_MAX: number = 1024 * 1024;

/** The whole body, or a refusal as soon as it is, or says it is, too large. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({destroyOnReturn: false})) {
      size += chunk.length;
      if (size > BODY_BYTES_MAX) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof BorealisError) throw error;
    const message = 'The connection ended before the whole body had come.';
    throw new BorealisError('invalid', 'IncompleteBody', message, error);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): BorealisError {
  return new BorealisError(
    'invalid',
    'RequestEntityTooLarge',
    `The body of a request may have at most ${BODY_BYTES_MAX} bytes.`,
  );
}
