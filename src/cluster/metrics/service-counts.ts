/** What is counted from the start of the service on, where it happens. */
import type {SweepReport} from '../../volume/sweeper.ts';

export class ServiceCounts {
  /** By zone: bad or missing copies that were replaced from another zone. */
  readonly repairs: Map<string, number> = new Map();
  readonly sweep = {
    turns: 0,
    segmentsDeleted: 0,
    segmentsCompacted: 0,
    bytesFreed: 0,
    /** Of the last turn that ended; null before the first one. */
    lastDurationMs: null as number | null,
  };

  noteRepair(zone: string): void {
    this.repairs.set(zone, (this.repairs.get(zone) ?? 0) + 1);
  }

  noteSweep(report: SweepReport, durationMs: number): void {
    this.sweep.turns++;
    this.sweep.segmentsDeleted += report.segmentsDeleted;
    this.sweep.segmentsCompacted += report.segmentsCompacted;
    this.sweep.bytesFreed += report.bytesFreed;
    this.sweep.lastDurationMs = durationMs;
  }
}
