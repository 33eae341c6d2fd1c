import {fileURLToPath} from 'node:url';

/**
 * The compiled file of a process or worker entry point, given its path below `src/` without an
 * extension: `entryPoint('instance/main')` is `…/dist/instance/main.js`. Code that vitest or tsx runs
 * from `src/` starts the compiled file too, so `npm run build` comes before either.
 */
export function entryPoint(pathBelowSource: string): string {
  return fileURLToPath(new URL(`../../dist/${pathBelowSource}.js`, import.meta.url));
}
