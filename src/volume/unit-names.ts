/** How people are told which page, or which node of a page table, something is. */
import type {VolumeNumber} from '../page-store/ids.ts';

/** Where in a volume a page or node stands. */
export type UnitPlace = {
  /** Node levels below and at it: 0 for a page. */
  readonly level: number;
  /** Null in the table of files. */
  readonly file: number | null;
  /** The page that it is, or the first page or file that it leads to. */
  readonly first: number;
};

/** `{level: 0, file: 7, first: 3}` → `page 3 of file 7 in volume 1` */
export function unitName(volume: VolumeNumber, {level, file, first}: UnitPlace): string {
  if (level === 0) return `page ${first} of file ${file} in volume ${volume}`;
  const where = file === null ? 'the table of files' : `file ${file}`;
  return `page-table node of ${where}, level ${level} from ${first}, in volume ${volume}`;
}
