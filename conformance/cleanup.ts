/** What must not be left behind, also after Ctrl-C: mounts, processes, directories. */
const EXIT_INTERRUPTED = 130;

export class Cleanup {
  readonly #actions = new Set<() => Promise<void>>();
  #interrupted = false;

  /** What the process should end with, where it would have ended with `status`. */
  exitStatus(status: number): number {
    return this.#interrupted ? EXIT_INTERRUPTED : status;
  }

  /** Returns how to take `action` off again, once it has been done in order. */
  add(action: () => Promise<void>): () => void {
    this.#actions.add(action);
    return () => void this.#actions.delete(action);
  }

  /** On Ctrl-C or SIGTERM: runs what is due, newest first, then ends the process with 130. */
  onInterrupt(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (this.#interrupted) return;
        this.#interrupted = true;
        void this.#runAll().finally(() => process.exit(EXIT_INTERRUPTED));
      });
    }
  }

  async #runAll(): Promise<void> {
    for (const action of [...this.#actions].reverse()) {
      await action().catch((error: unknown) => console.error(error));
    }
  }
}
