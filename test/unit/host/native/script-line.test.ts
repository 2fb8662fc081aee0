import { expect } from 'chai'
import { ExecutableError } from '../../../../host/native/executable-error.ts'
import { readScriptLine, SCRIPT_LINE_BYTES, type ScriptLine } from '../../../../host/native/script-line.ts'

const read = (line: string): ScriptLine => readScriptLine(Buffer.from(line).subarray(0, SCRIPT_LINE_BYTES))

describe('readScriptLine()', () => {
  const taken: Readonly<Record<string, ScriptLine>> = {
    '#!/usr/bin/python3\n': { interpreter: { path: '/usr/bin/python3' }, argument: null },
    '#! /usr/bin/python3 -I\nrest': { interpreter: { path: '/usr/bin/python3' }, argument: '-I' },
    '#!\t/bin/sh  -e  -u \n': { interpreter: { path: '/bin/sh' }, argument: '-e  -u' },
    '#!/usr/bin/env python3\n': { interpreter: { name: 'python3' }, argument: null },
    '#!/usr/bin/env  python3.11 \n': { interpreter: { name: 'python3.11' }, argument: null },
  }
  for (const [line, expected] of Object.entries(taken))
    it(`reads ${JSON.stringify(line)}`, () => expect(read(line)).to.deep.equal(expected))

  const refused: Readonly<Record<string, RegExp>> = {
    '#!\n': /names no interpreter/,
    '#!python3\n': /"python3" is no absolute path/,
    '#!/usr/bin/python3\r\n': /carriage return, as on Windows/,
    '#!/usr/bin/env\n': /gives env nothing/,
    '#!/usr/bin/env -S python3 -I\n': /gives env "-S python3 -I", expected the name of one program/,
    '#!/usr/bin/env ../python3\n': /gives env "\.\.\/python3"/,
    '#!/usr/bin/env A=B\n': /gives env "A=B"/,
    '#!/bin/\u0001sh\n': /its first line is/,
    '#!/usr/bin/python3': /has no end/,
    [`#!/${'x'.repeat(300)}\n`]: /longer than the kernel reads/,
  }
  for (const [line, words] of Object.entries(refused)) {
    it(`refuses ${JSON.stringify(line.slice(0, 40))} in words`, () =>
      expect(() => read(line)).to.throw(ExecutableError, words))
  }
})
