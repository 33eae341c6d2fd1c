/** Takes the service lock of `argv[2]`, says what came of it, and holds it until stdin ends. */
import {acquireServiceLock} from '../service-lock.ts';

const [directory = ''] = process.argv.slice(2);
try {
  acquireServiceLock(directory);
  process.stdout.write('held\n');
} catch (error) {
  process.stdout.write(`${(error as {code: string}).code}\n`);
}
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
