/**
 * Opaque numbers of the store, each made in one place.
 *
 * A *log address* is the triple (volume, segment, sector): pages never move, so it is a name for
 * ever. It fits 12 bytes on disk; in memory it travels as its three parts.
 */
declare const volumeNumberTag: unique symbol;
declare const segmentNumberTag: unique symbol;
declare const lsnTag: unique symbol;

/** Names one volume of a store; from 1 to 2^32 − 1, never used again. 0 stands for "no address". */
export type VolumeNumber = number & {readonly [volumeNumberTag]: true};
/** Counts the segments of one volume's log, from 1. */
export type SegmentNumber = number & {readonly [segmentNumberTag]: true};
/** Log sequence number: counts the batches of a volume's line of history. A clone goes on from its source's. */
export type Lsn = number & {readonly [lsnTag]: true};
