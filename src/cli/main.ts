#!/usr/bin/env node
/** The `borealis` command. */
import {runCli} from './program.ts';

process.exitCode = await runCli(process.argv.slice(2));
