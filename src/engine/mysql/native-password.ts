/**
 * Password hashes as `mysql_native_password` stores them: enough to check a login, not to log in with.
 *
 *     '*' + hexadecimal SHA1(SHA1(password))
 *
 * It is the one way to log in that MariaDB and every MySQL client since 4.1 share. The hash has no salt,
 * so it is kept as the password itself would be: in files of mode 0600, in no argument and in no log.
 */
import {createHash} from 'node:crypto';

export function nativePasswordHash(password: string): string {
  const once = createHash('sha1').update(password, 'utf8').digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}
