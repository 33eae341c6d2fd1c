/**
 * Faults put into the source on purpose: what the simulation must find. Each is one exact piece of
 * text that stands once in its file, and what it becomes.
 */
export type Mutation = {
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What is then wrong. */
  readonly why: string;
};

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'barrier without sync',
    file: 'volume/log-writer.ts',
    find: 'for (const {file} of files) file.sync();',
    replace: '',
    why: 'a barrier is acknowledged that nothing made durable',
  },
  {
    name: 'sealed segments not synced',
    file: 'volume/log-writer.ts',
    find: 'const files = this.#sealed.map(({file, segment}) => ({file, segment}));',
    replace: 'const files: {file: SegmentFile; segment: SegmentNumber}[] = [];',
    why: 'a barrier covers the segment in use and not those before it',
  },
  {
    name: 'durable before the sync',
    file: 'volume/volume.ts',
    find: 'return {...target, holdFd: this.#head.holdDescriptor};',
    replace: 'this.noteDurable(target.lsn); return {...target, holdFd: this.#head.holdDescriptor};',
    why: 'what is still on its way to the disk counts as durable',
  },
  {
    name: 'durableLsn too high',
    file: 'volume/log-writer.ts',
    find: 'durableLsn: this.#durableLsn},',
    replace: 'durableLsn: this.#lsn},',
    why: 'batches say that more was durable than was',
  },
  {
    name: 'durableLsn too low',
    file: 'volume/log-writer.ts',
    find: 'durableLsn: this.#durableLsn},',
    replace: 'durableLsn: 0 as Lsn},',
    why: 'nothing tells recovery that the log rotted before its end',
  },
  {
    name: 'rotten log taken for its end',
    file: 'volume/recovery.ts',
    find: 'if (durableLsn <= lsn) continue;',
    replace: 'continue;',
    why: 'acknowledged batches are lost without a word',
  },
  {
    name: 'no checksum of a page',
    file: 'volume/page-reader.ts',
    find: 'if (got !== PAGE_SIZE_BYTES || crc32(page) !== pointer.crc)',
    replace: 'if (got !== PAGE_SIZE_BYTES)',
    why: 'one page that rotted is handed out',
  },
  {
    name: 'no checksum in a run of pages',
    file: 'volume/page-reader.ts',
    find: 'if (!whole || crc32(page) !== crc) {',
    replace: 'if (!whole) {',
    why: 'pages that are read together are handed out rotten',
  },
  {
    name: 'no checksum of a header',
    file: 'volume/batch.ts',
    find: 'if (crc32(raw.subarray(8, length)) !== raw.readUInt32LE(4)) return null;',
    replace: '',
    why: 'a torn or rotten header counts',
  },
  {
    name: 'no checksum of a record',
    file: 'page-store/record.ts',
    find: 'if (end === 0 || text.slice(end) !== `crc32 ${checksum(line)}\\n`) {',
    replace: 'if (end === 0) {',
    why: 'a rotten record names another root',
  },
  {
    name: 'log not cut at a bad page',
    file: 'volume/recovery.ts',
    find: 'if (!whole) return batches.slice(0, index);',
    replace: '',
    why: 'a torn batch counts',
  },
  {
    name: 'undurable tail not written again',
    file: 'volume/recovery.ts',
    find: 'const all = batch.lsn > log.durableLsn;',
    replace: 'const all = batch.lsn < 0;',
    why: 'after a sync that failed, the next one succeeds and writes nothing',
  },
  {
    name: 'recovered log not synced',
    file: 'volume/recovery.ts',
    find: 'for (const file of files.values()) file.sync();',
    replace: '',
    why: 'what recovery found lies in a cache, and what follows builds on it',
  },
  {
    name: 'fenced-off writer not cut by the record',
    file: 'volume/recovery.ts',
    find: 'if (lsn >= limit || isFenced(fence, header.epoch, lsn + 1)) break;',
    replace: 'if (lsn >= limit) break;',
    why: 'the epoch is ignored: what a stale writer appended surfaces',
  },
  {
    name: 'fenced-off writer not cut by a later segment',
    file: 'volume/recovery.ts',
    find: 'if (lsn >= limit || isFenced(fence, header.epoch, lsn + 1)) break;',
    replace: 'if (isFenced(fence, header.epoch, lsn + 1)) break;',
    why: 'the log of a stale writer is followed past the place where the next writer began',
  },
  {
    name: 'no new epoch',
    file: 'volume/volume-head.ts',
    find: 'const epoch = this.#record.epoch + 1;',
    replace: 'const {epoch} = this.#record;',
    why: 'a stale writer is not told from the right one',
  },
  {
    name: 'segment number used again',
    file: 'volume/recovery.ts',
    find: 'nextSegment: (Math.max(0, ...segments) + 1)',
    replace: 'nextSegment: Math.max(1, ...segments)',
    why: 'the log goes on under a number that is taken',
  },
  {
    name: 'record names an undurable checkpoint',
    file: 'volume/volume-head.ts',
    find: 'this.#pending = checkpoint;',
    replace: 'this.#pending = checkpoint; this.noteDurable(checkpoint.lsn);',
    why: 'a power cut takes the root from under the record',
  },
  {
    name: "child's record before the checkpoint is durable",
    file: 'volume/volume.ts',
    find: 'const bytesBefore = this.#log.bytesAppended;\n    this.checkpoint();',
    replace:
      'const bytesBefore = this.#log.bytesAppended;\n    this.#writeCheckpoint();\n    this.#head.noteDurable(this.#log.lsn);',
    why: 'a power cut takes the root from under the clone',
  },
  {
    name: 'fork at the last checkpoint',
    file: 'volume/volume.ts',
    find: 'const bytesBefore = this.#log.bytesAppended;\n    this.checkpoint();',
    replace: 'const bytesBefore = this.#log.bytesAppended;\n    this.barrier();',
    why: 'a clone begins at an older moment than that of the call',
  },
  {
    name: 'idle fork of an unclean volume',
    file: 'volume/open-volume.ts',
    find: 'if (!found.record.clean) {',
    replace: 'if (found.record.epoch < 0) {',
    why: 'the clone misses what lies in the log behind the checkpoint',
  },
  {
    name: 'sweep behind the checkpoint',
    file: 'volume/sweeper.ts',
    find: 'return record === undefined || segment < record.checkpoint.segment;',
    replace: 'return record !== null;',
    why: 'segments go that a writer appended since its checkpoint',
  },
  {
    name: 'sweep forgets a volume',
    file: 'volume/sweeper.ts',
    find: 'census.count(records);',
    replace: 'census.count(records.slice(1));',
    why: 'what one volume alone reaches goes',
  },
  {
    name: 'sweep forgets pages',
    file: 'volume/census.ts',
    find: 'segments: Uint32Array.of(volume, segment, 1),',
    replace: 'segments: level === 0 ? new Uint32Array(0) : Uint32Array.of(volume, segment, 1),',
    why: 'segments go that hold pages and no node',
  },
  {
    name: 'sweep reads records first',
    file: 'volume/sweeper.ts',
    find: [
      '  const volumes = zone.listVolumes();',
      '  const listed = volumes.flatMap(volume =>',
      '    zone.listSegments(volume).map(listing => ({volume, ...listing})),',
      '  );',
      '  const records = readRoots(zone);',
    ].join('\n'),
    replace: [
      '  const records = readRoots(zone);',
      '  const volumes = zone.listVolumes();',
      '  const listed = volumes.flatMap(volume =>',
      '    zone.listSegments(volume).map(listing => ({volume, ...listing})),',
      '  );',
    ].join('\n'),
    why: 'a volume that is made meanwhile is taken for one that was removed',
  },
  {
    name: 'compaction loses a page',
    file: 'volume/sweeper.ts',
    find: 'of sectors.sort((a, b) => a - b)) {',
    replace: 'of sectors.sort((a, b) => a - b).slice(1)) {',
    why: 'a page that is reached is not in the compacted segment',
  },
  {
    name: 'a compact segment is misread',
    file: 'page-store/compact-segment.ts',
    find: 'positions.push(at);',
    replace: 'positions.push(at + SECTOR_BYTES);',
    why: 'a pointer leads past its page',
  },
  {
    name: 'batch cut inside an operation',
    file: 'volume/volume.ts',
    find: 'const bytes = this.#batch.add(file, page);',
    replace:
      'if (this.#batch.slotCount >= 3) this.flush();\n    const bytes = this.#batch.add(file, page);',
    why: 'a crash leaves half of an operation',
  },
  {
    name: 'batch without inodes',
    file: 'volume-fs/volume-fs.ts',
    find: 'beforeFlush: () => this.#inodes.write(false),',
    replace: 'beforeFlush: () => undefined,',
    why: "a crash leaves a file's bytes without its size",
  },
  {
    name: 'failure forgotten',
    file: 'volume/volume.ts',
    find: 'this.#failure = error;\n      throw error;',
    replace: 'throw error;',
    why: 'after a sync that failed the next barrier is acknowledged',
  },
  {
    name: 'half an operation kept',
    file: 'volume/volume.ts',
    find: 'if (this.#changesInOperation > 0) this.#failure ??= error;',
    replace: '',
    why: 'an operation that failed halfway is in the log',
  },
  {
    name: 'drops not recovered',
    file: 'volume/open-volume.ts',
    find: 'for (const {file, from, to} of batch.drops) {',
    replace: 'for (const {file, from, to} of batch.drops.slice(0, 0)) {',
    why: 'pages that were dropped are there again after a crash',
  },
  {
    name: 'dropped page appended',
    file: 'volume/open-batch.ts',
    find: 'this.#slotFile[slot] = DEAD;',
    replace: '',
    why: 'a page that was written and dropped comes back',
  },
  {
    name: 'changed node evicted',
    file: 'volume/page-tree.ts',
    find: 'if (!child.dirty && !child.used && !hasLoadedChild(child)) {',
    replace: 'if (!child.used && !hasLoadedChild(child)) {',
    why: 'under pressure of memory a change of the page table is lost',
  },
];
