import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {
  openCredentials,
  openDataDirectory,
  openMetricsToken,
  removeServiceFile,
  writeServiceFile,
} from './data-directory.ts';

let root: string;
let directory: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-data-'));
  directory = join(root, 'new', 'data');
});

afterEach(() => rmSync(root, {recursive: true}));

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return (error as {code: string}).code;
  }
}

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

test('a new directory is made for its owner alone, marked, and opens again', () => {
  openDataDirectory(directory);
  expect(mode(directory)).toBe(0o700);
  expect(JSON.parse(readFileSync(join(directory, 'borealis.json'), 'utf8'))).toEqual({
    product: 'borealis',
    formatVersion: 1,
  });
  chmodSync(directory, 0o755);
  openDataDirectory(directory);
  expect(mode(directory)).toBe(0o700);
});

test('a directory with files of another program is refused and left as it is', () => {
  mkdirSync(directory, {recursive: true, mode: 0o755});
  writeFileSync(join(directory, 'thesis.tex'), '');
  expect(codeOf(() => openDataDirectory(directory))).toBe('data-directory-foreign');
  expect(mode(directory)).toBe(0o755);
  expect(existsSync(join(directory, 'borealis.json'))).toBe(false);
});

test('a later format, a marker of another product and a file in its place are refused', () => {
  openDataDirectory(directory);
  writeFileSync(join(directory, 'borealis.json'), '{"product": "borealis", "formatVersion": 2}');
  expect(codeOf(() => openDataDirectory(directory))).toBe('data-directory-format');
  writeFileSync(join(directory, 'borealis.json'), 'not json');
  expect(codeOf(() => openDataDirectory(directory))).toBe('data-directory-format');
  const file = join(root, 'file');
  writeFileSync(file, '');
  expect(codeOf(() => openDataDirectory(file))).toBe('data-directory-unusable');
  expect(codeOf(() => openDataDirectory('/proc/borealis'))).toBe('data-directory-unusable');
});

test('a full disk is refused before anything is written', () => {
  expect(codeOf(() => openDataDirectory(directory, Number.MAX_SAFE_INTEGER))).toBe('disk-full');
  expect(existsSync(join(directory, 'borealis.json'))).toBe(false);
});

test('credentials are random, kept, and readable by the owner alone', () => {
  openDataDirectory(directory);
  const first = openCredentials(directory);
  expect(first.accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
  expect(first.secretAccessKey).toMatch(/^[A-Za-z0-9]{40}$/);
  expect(openCredentials(directory)).toEqual(first);
  expect(mode(join(directory, 'credentials.json'))).toBe(0o600);
  writeFileSync(join(directory, 'credentials.json'), '{}');
  expect(codeOf(() => openCredentials(directory))).toBe('credentials-unreadable');
});

test('the service file comes and goes with the service', () => {
  openDataDirectory(directory);
  const file = {url: 'http://127.0.0.1:1', region: 'local-1', pid: 1};
  writeServiceFile(directory, file);
  expect(JSON.parse(readFileSync(join(directory, 'service.json'), 'utf8'))).toEqual(file);
  expect(mode(join(directory, 'service.json'))).toBe(0o600);
  removeServiceFile(directory);
  removeServiceFile(directory);
  expect(existsSync(join(directory, 'service.json'))).toBe(false);
});

test("a scrape token is made once, for its owner alone, and may be one of the user's own", () => {
  openDataDirectory(directory);
  const path = join(directory, 'metrics-token');
  const token = openMetricsToken(directory);
  expect(token).toMatch(/^[A-Za-z0-9]{43}$/);
  expect(mode(path)).toBe(0o600);
  expect(readFileSync(path, 'utf8')).toBe(`${token}\n`);
  expect(openMetricsToken(directory)).toBe(token);
  writeFileSync(path, 'of-my-own-making!');
  expect(openMetricsToken(directory)).toBe('of-my-own-making!');
});

test.each(['', '\n', 'short', 'two tokens of some length', 'not printable \u0000 at all …………'])(
  'a scrape token that could be guessed or not be sent is refused: %j',
  text => {
    openDataDirectory(directory);
    writeFileSync(join(directory, 'metrics-token'), text);
    expect(codeOf(() => openMetricsToken(directory))).toBe('metrics-token-unreadable');
  },
);
