import {expect, test} from 'vitest';
import {parseUser} from './launch.ts';

const ROOT = 'root:x:0:0:root:/root:/bin/bash\n';
const NOBODY = 'nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n';
const POSTGRES = 'postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n';

test.each([
  [ROOT + NOBODY + POSTGRES, {uid: 101, gid: 104}],
  [ROOT + NOBODY, {uid: 65_534, gid: 65_533}],
  [ROOT + POSTGRES.replace('101', '0'), {uid: 65_534, gid: 65_534}],
  ['', {uid: 65_534, gid: 65_534}],
])('the engine runs as the user of its name, else as nobody, never as root', (passwd, user) => {
  expect(parseUser(passwd, 'postgres')).toEqual(user);
});
