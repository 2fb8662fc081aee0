import * as fc from 'fast-check'

export const FUZZ_RUNS = 100_000

/** Parts that hosts are made of, and what has been used to slip past a list of hosts. */
const PIECES = [
  'ok',
  'evil',
  'test',
  'api',
  'a',
  'xn--exmple-cua',
  'exämple',
  'ⓔvil',
  '.',
  '..',
  '。',
  '．',
  '-',
  '_',
  '*',
  '%',
  '%2e',
  '%00',
  '@',
  ':',
  '80',
  '/',
  '\\',
  '?',
  '#',
  ' ',
  '\t',
  '\u0000',
  '\u007F',
  '\u00AD',
  '\u200B',
  '\u200D',
  '[',
  ']',
  '::',
  '1',
  'ffff',
  '127',
  '0',
  '0x7f',
  '0177',
  '169.254.169.254',
  '10.0.0.1',
  '2852039166',
  'TEST',
  'İ',
  'ß',
  '１２７',
]

/** A host as a hostile plugin may spell it: made of such parts, any text, or a real one with a part put in. */
export const hostSpelling = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('ok', 'api', 'evilok', 'test', 'TEST', 'x'), { minLength: 1, maxLength: 5 })
    .map((labels) => labels.join('.')),
  fc.domain(),
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6().map((address) => `[${address}]`),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
)
