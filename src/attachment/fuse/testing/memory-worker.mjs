// A worker thread does not inherit the loader that runs TypeScript, so it brings its own.
import {register} from 'tsx/esm/api';

register();
await import('./memory-worker.ts');
