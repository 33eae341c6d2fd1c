/**
 * Whether a server would start with given settings. The catalogue has limits of numbers and names of
 * choices; of texts (time zones, locales, lists) and of some numbers the server alone knows what it takes,
 * and it reads them before it looks for its files:
 *
 *     postgres -C timezone -c timezone=Mars -D nowhere    FATAL: invalid value for parameter "TimeZone": "Mars"
 *     postgres -C timezone -c timezone=UTC  -D nowhere    could not access the server configuration file
 */
import {execFile} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {linkLibraries} from './binaries.ts';

/** It answers in milliseconds; a machine short of everything may need longer. */
const TIMEOUT_MS = 15_000;

/** What the server of the programs in `bin` says against the settings, or null when it takes them. */
export async function refusedSetting(
  bin: string,
  settings: Readonly<Record<string, string>>,
): Promise<string | null> {
  const [name] = Object.keys(settings);
  if (name === undefined) return null;
  const links = await mkdtemp(join(tmpdir(), 'borealis-libraries-'));
  try {
    const libraries = await linkLibraries(bin, links);
    const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const said = await complaints(bin, libraries, [
      // Only as the first argument may root give it.
      '-C',
      name,
      ...options,
      '-D',
      join(links, 'no-data'),
    ]);
    const fatal = /FATAL: +(.*)(?:\n.*DETAIL: +(.*))?/.exec(said);
    if (fatal === null) return null;
    return fatal[2] === undefined ? (fatal[1] ?? '') : `${fatal[1] ?? ''} (${fatal[2]})`;
  } finally {
    await rm(links, {recursive: true, force: true});
  }
}

/** Its arguments can be seen by all users of the machine; parameters are no secrets. */
function complaints(
  bin: string,
  libraries: string | null,
  argv: readonly string[],
): Promise<string> {
  const path = libraries === null ? {} : {LD_LIBRARY_PATH: libraries};
  const env = {...process.env, LC_ALL: 'C', ...path};
  return new Promise(resolve => {
    execFile(join(bin, 'postgres'), argv, {env, timeout: TIMEOUT_MS}, (_error, _stdout, stderr) => {
      resolve(stderr);
    });
  });
}
