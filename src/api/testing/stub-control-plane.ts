/**
 * A control plane that remembers its calls and answers what a test tells it to: what is tested with
 * it is the way between a client and the control plane, not the control plane.
 */
import type {ControlPlane} from '../../cluster/control-plane.ts';

type RecordedCall = {readonly method: string; readonly input: unknown};
export type StubControlPlane = {
  readonly controlPlane: ControlPlane;
  readonly calls: RecordedCall[];
  /** Replaces what `method` does from now on. */
  on(method: keyof ControlPlane, answer: (input: unknown) => Promise<object>): void;
};

export function createStubControlPlane(): StubControlPlane {
  const calls: RecordedCall[] = [];
  const answers = new Map<string, (input: unknown) => Promise<object>>();
  const method =
    (name: string) =>
    async (input: unknown): Promise<never> => {
      calls.push({method: name, input});
      const answer = await (answers.get(name) ?? (async () => ({})))(input);
      // oxlint-disable-next-line no-unsafe-type-assertion -- tests answer with the type they want
      return answer as never;
    };
  return {
    calls,
    on: (name, answer) => answers.set(name, answer),
    // oxlint-disable-next-line no-unsafe-type-assertion -- whatever the name, the method records its call
    controlPlane: new Proxy({}, {get: (_, name) => method(String(name))}) as ControlPlane,
  };
}
