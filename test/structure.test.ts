/** The shape of the source tree, as a test: what each message says is the way to mend it. */
import fs from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';

const SOURCE = path.resolve(import.meta.dirname, '../src');

/** In the order in which data flows: a file imports only its own folder, and folders before it. */
const LAYERS = [
  'base',
  'page-store',
  'volume',
  'volume-fs',
  'attachment',
  'engine',
  'instance',
  'endpoint',
  'cluster',
  'api',
  'console',
  'server.ts',
  'cli',
  'demo',
];
const FILE_LINES_MAX = 400;

const files = fs
  .readdirSync(SOURCE, {recursive: true, encoding: 'utf8'})
  .filter(file => file.endsWith('.ts'));
const isTest = (file: string): boolean =>
  file.endsWith('.test.ts') || file.split(path.sep).includes('testing');
const layerOf = (file: string): string => file.split(path.sep)[0] as string;
const read = (file: string): string => fs.readFileSync(path.join(SOURCE, file), 'utf8');

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(match =>
    path.relative(SOURCE, path.resolve(SOURCE, path.dirname(file), match[1] as string)),
  );
}

describe('structure', () => {
  test('every folder of src/ is a layer', () => {
    const folders = fs.readdirSync(SOURCE);
    expect(folders.filter(folder => !LAYERS.includes(folder))).toEqual([]);
  });

  test('a file imports only its own folder and the layers before it', () => {
    const wrong = files.flatMap(file =>
      importsOf(file)
        .filter(target => LAYERS.indexOf(layerOf(target)) > LAYERS.indexOf(layerOf(file)))
        .map(target => `${file} imports ${target}: move what they share to a layer before both`),
    );
    expect(wrong).toEqual([]);
  });

  test('nothing imports a test or what only tests use', () => {
    const wrong = files
      .filter(file => !isTest(file))
      .flatMap(file =>
        importsOf(file)
          .filter(isTest)
          .map(target => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test('a folder exports its files themselves: there is no index.ts', () => {
    expect(files.filter(file => path.basename(file) === 'index.ts')).toEqual([]);
  });

  test(`no file has more than ${FILE_LINES_MAX} lines`, () => {
    const long = files
      .filter(file => !isTest(file))
      .map(file => ({file, lines: read(file).split('\n').length - 1}))
      .filter(({lines}) => lines > FILE_LINES_MAX)
      .map(({file, lines}) => `${file} has ${lines} lines: find what it hides`);
    expect(long).toEqual([]);
  });

  test('no test is skipped or singled out for good', () => {
    const wrong = files.filter(file => /\b(?:test|describe|it)\.(?:only|skip)\(/.test(read(file)));
    expect(wrong).toEqual([]);
  });

  test('nothing is left to be done', () => {
    const words = /\b(?:TODO|FIXME|XXX)\b/;
    expect(files.filter(file => words.test(read(file)))).toEqual([]);
  });
});
