/** What the demo proves: each a sentence that held or did not, with the numbers behind it. */
import type {Terminal} from '../cli/terminal.ts';
import {colorsOf} from '../cli/terminal.ts';

export type Proof = {
  readonly claim: string;
  readonly held: boolean;
  readonly evidence: string;
};

export class Proofs {
  readonly #terminal: Terminal;
  readonly #proofs: Proof[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get all(): readonly Proof[] {
    return this.#proofs;
  }

  get allHeld(): boolean {
    return this.#proofs.length > 0 && this.#proofs.every(proof => proof.held);
  }

  add(claim: string, held: boolean, evidence: string): void {
    this.#proofs.push({claim, held, evidence});
    const colors = colorsOf(process.stderr);
    const mark = held ? colors.green('  proved ') : colors.red('  FAILED ');
    this.#terminal.note(`${mark} ${claim}: ${evidence}`);
  }
}
