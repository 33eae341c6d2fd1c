/** What a check came to, and how a list of them is told. */
export type Outcome = {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped; null when it passed. */
  readonly reason: string | null;
};

/** The outcomes of one list of checks on one file system. */
export type Subject = {readonly name: string; readonly outcomes: readonly Outcome[]};

export type Totals = {readonly passed: number; readonly failed: number; readonly skipped: number};

export function totalsOf(subjects: readonly Subject[]): Totals {
  const totals = {passed: 0, failed: 0, skipped: 0};
  for (const {outcomes} of subjects) for (const {outcome} of outcomes) totals[outcome]++;
  return totals;
}

/** A line for each check that did not pass, one for each file system, and the totals last. */
export function printSubjects(subjects: readonly Subject[]): void {
  for (const subject of subjects) {
    for (const {name, outcome, reason} of subject.outcomes) {
      if (outcome === 'failed') console.log(`FAILED   ${subject.name}: ${name}: ${reason ?? ''}`);
    }
    for (const [reason, names] of skipsOf(subject)) {
      console.log(`skipped  ${subject.name}: ${reason}: ${names.join('; ')}`);
    }
    console.log(`${subject.name}: ${textOf(totalsOf([subject]))}`);
  }
  console.log(textOf(totalsOf(subjects)));
}

function skipsOf({outcomes}: Subject): Map<string, string[]> {
  const skips = new Map<string, string[]>();
  for (const {name, outcome, reason} of outcomes) {
    if (outcome !== 'skipped') continue;
    skips.set(reason ?? '', [...(skips.get(reason ?? '') ?? []), name]);
  }
  return skips;
}

/** `12 passed, 0 failed`, and skipped ones where there are any. */
export function textOf({passed, failed, skipped}: Totals): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}
