/** What the real server says of settings before anything of it runs. */
import {describe, expect, test} from 'vitest';
import {packagedPostgresBin} from './binaries.ts';
import {refusedSetting} from './refused-setting.ts';

const bin = packagedPostgresBin();

describe.skipIf(bin === null)('what a server would not start with', () => {
  test.each([
    ['TimeZone', 'Mars/Phobos'],
    ['DateStyle', 'xyz'],
    ['lc_messages', 'xx_YY'],
    ['search_path', '"'],
    ['vacuum_buffer_usage_limit', '1'],
  ])('%s = %s is refused in its words', async (name, value) => {
    expect(await refusedSetting(bin ?? '', {work_mem: '64', [name]: value})).toContain(name);
  });

  test('what it takes is taken, any character of a value included', async () => {
    const settings = {
      TimeZone: 'us/pacific',
      DateStyle: 'iso, mdy',
      log_line_prefix: "%m '$(x)' \\ ;",
      application_name: '-D',
      work_mem: '64',
    };
    expect(await refusedSetting(bin ?? '', settings)).toBeNull();
    expect(await refusedSetting(bin ?? '', {})).toBeNull();
  });
});
