import {describe, expect, test} from 'vitest';
import {formatBytes, formatCount, formatDuration, formatPages} from './quantity.ts';

describe('sizes are binary multiples with at most one decimal', () => {
  test.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [8192, '8 KiB'],
    [1536, '1.5 KiB'],
    [1024 * 1024 - 1, '1 MiB'],
    [1610612736, '1.5 GiB'],
    [2 ** 40, '1 TiB'],
    [2 ** 60, '1024 PiB'],
  ])('%d bytes reads %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test('a page is 8 KiB', () => expect(formatPages(3)).toBe('24 KiB'));
});

describe('durations name their unit', () => {
  test.each([
    [0, '0 ms'],
    [0.42, '0.4 ms'],
    [3, '3 ms'],
    [9.96, '10 ms'],
    [250.4, '250 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [1254, '1.25 s'],
    [59_994, '59.99 s'],
    [60_000, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('%d ms reads %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});

test('counts have thousands separators', () => expect(formatCount(1234567)).toBe('1,234,567'));
