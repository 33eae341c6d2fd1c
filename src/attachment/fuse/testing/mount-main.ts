/**
 * Process entry for tests, run in namespaces of its own: mounts a file system, then obeys lines of
 * JSON on its standard input and answers with lines on its standard output.
 *
 *     argv      JSON of MountOptions
 *     ▸ {"run": "shell script"}     ◂ {"status": 0, "output": "…"}     in the mounted directory
 *     ▸ {"call": "statistics"}      ◂ {"result": {…}}
 *     ▸ {"exit": 3}                 exits without detaching
 *     ▸ end of input                detaches and exits with 0
 *     ◂ {"ready": …}, {"failed": "reason"}   unasked
 */
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {errorChain} from '../../../base/errors.ts';
import {attachFuse, startFuseWorkers, type FuseAttachmentConfig} from '../fuse-attachment.ts';
import type {VolumeNumber} from '../../../page-store/ids.ts';
import {openZones, type StoreConfig} from '../../../page-store/open-zones.ts';
import {openStore} from '../../../page-store/store.ts';
import {engineCommand} from '../namespace.ts';

export type MountOptions = FuseAttachmentConfig & {
  asRoot: boolean;
  user: {uid: number; gid: number};
  servingWorker: string;
};

type Command = {
  run?: string;
  call?: 'statistics' | 'checkpoint' | 'fork';
  child?: VolumeNumber;
  unprivileged?: boolean;
  exit?: number;
};

const options = JSON.parse(process.argv[2] ?? '') as MountOptions;

async function main(): Promise<void> {
  if (options.format && options.zones.length > 1) makeStore(options);
  const attachment = await attachFuse(options, startFuseWorkers(options.servingWorker));
  void attachment.failed.then(error => say({failed: error.message}));
  say({ready: attachment.directory});
  for await (const line of createInterface({input: process.stdin})) {
    const command = JSON.parse(line) as Command;
    if (command.exit !== undefined) process.exit(command.exit);
    try {
      if (command.run !== undefined) say(await run(command.run, command.unprivileged ?? false));
      else if (command.call === 'fork')
        say({result: await attachment.fork(command.child ?? (0 as VolumeNumber))});
      else if (command.call !== undefined) say({result: await attachment[command.call]()});
    } catch (error) {
      say({error: errorChain(error)});
    }
  }
  await attachment.detach();
}

/** As the keeper of the zones does it before there is any volume: zones without a store may have been emptied. */
function makeStore(config: StoreConfig): void {
  const zone = openZones(config, {role: 'keeper'});
  try {
    openStore(zone);
  } finally {
    zone.close();
  }
}

function run(
  script: string,
  unprivileged: boolean,
): Promise<{status: number | null; output: string}> {
  const argv = ['bash', '-c', `set -euo pipefail\n${script}`];
  const command = unprivileged ? engineCommand(argv, options) : {argv, owner: {}};
  const [program = '', ...args] = command.argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...command.owner,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', reject);
    child.once('close', status => resolve({status, output}));
  });
}

function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

main().catch((error: unknown) => {
  say({failed: errorChain(error)});
  process.exitCode = 1;
});
