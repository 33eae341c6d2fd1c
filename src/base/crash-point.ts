/**
 * Named points before and after each durable step. `BOREALIS_CRASH_AT=<name>` makes the process that
 * reaches the point die as by `kill -9`, so that a test can show what the next start makes of it.
 * Without the variable a crash point does nothing.
 */
export function crashPoint(name: string): void {
  if (process.env['BOREALIS_CRASH_AT'] === name) process.kill(process.pid, 'SIGKILL');
}
