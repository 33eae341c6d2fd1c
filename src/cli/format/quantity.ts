/**
 * Numbers as a person reads them.
 *
 *     formatBytes(8192)       8 KiB        formatDuration(0.42)     0.4 ms
 *     formatBytes(1610612736) 1.5 GiB      formatDuration(1254)     1.25 s
 *     formatBytes(0)          0 B          formatDuration(125_000)  2 min 5 s
 *
 * Bytes are binary multiples, since pages are: 1 KiB = 1,024 B.
 */
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const BYTE_UNIT_STEP = 1024;

/** PostgreSQL's and Borealis's page. */
export const PAGE_SIZE_BYTES = 8192;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1,023.95 would be shown as "1024.0": go on to the next unit before rounding does.
  while (value >= BYTE_UNIT_STEP - 0.05 && unit < BYTE_UNITS.length - 1) {
    value /= BYTE_UNIT_STEP;
    unit++;
  }
  return `${withoutZeroFraction(value.toFixed(1))} ${BYTE_UNITS[unit] ?? ''}`;
}

export function formatPages(pageCount: number): string {
  return formatBytes(pageCount * PAGE_SIZE_BYTES);
}

export function formatDuration(durationMs: number): string {
  if (durationMs < 9.95) return `${withoutZeroFraction(durationMs.toFixed(1))} ms`;
  if (durationMs < 999.5) return `${durationMs.toFixed(0)} ms`;
  if (durationMs < 59_995) return `${(durationMs / 1000).toFixed(2)} s`;
  const seconds = Math.round(durationMs / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `1234567` → `1,234,567`, whatever the locale. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

function withoutZeroFraction(text: string): string {
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
