import {readFileSync} from 'node:fs';
import {join} from 'node:path';

/** The version in a directory's package.json, or `unknown`. */
export function packageVersion(directory: string): string {
  const value: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const known = typeof value === 'object' && value !== null && 'version' in value;
  return known && typeof value.version === 'string' ? value.version : 'unknown';
}
