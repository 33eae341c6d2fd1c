/** A service process to be killed: plays the scenario `argv[3]` on the directory `argv[2]`. */
import {playScenario} from './crash-scenarios.ts';

const [directory = '', scenario = ''] = process.argv.slice(2);
await playScenario(directory, scenario);
