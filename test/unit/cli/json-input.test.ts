import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { findJsonMistake, parseInput, readInput } from '../../../src/cli/json-input.ts'
import { isPhantomError, type PhantomError } from '../../../src/contract/phantom-error.ts'

function failureOf(text: string, source = '--input'): PhantomError {
  try {
    parseInput(text, source)
  } catch (error) {
    if (isPhantomError(error)) return error
  }
  throw new Error(`${text} was read as JSON`)
}

async function rejectionOf(promise: Promise<unknown>): Promise<PhantomError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (isPhantomError(error)) return error
  throw new Error('it did not reject with a PhantomError')
}

describe('findJsonMistake()', () => {
  it('finds the first character that JSON cannot have there', () => {
    const cases: [string, number][] = [
      ['[1,x]', 3],
      ['{a:1}', 1],
      ['{"a":1,}', 7],
      ["{'a':1}", 1],
      ['{"a" 1}', 5],
      ['1 2', 2],
      ['[1', 2],
      ['"ab', 3],
      ['', 0],
      ['nul', 3],
      ['nulx', 3],
      ['[tru]', 4],
      ['"a\nb"', 2],
      ['"\\x"', 2],
      ['-a', 1],
      ['[1.]', 3],
    ]
    for (const [text, offset] of cases) expect(findJsonMistake(text), text).to.equal(offset)
  })

  it('agrees with V8 wherever V8 names a position', () => {
    const good = '{"name": "é\\n\\u00e9", "list": [1, -2.5e+3, true, null, {"deep": [[]]}], "end": "x"}'
    let compared = 0
    for (let at = 0; at < good.length; at += 1) {
      for (const wrong of ['', '@', '"', '}', ',', '\n']) {
        const text = good.slice(0, at) + wrong + good.slice(at + 1)
        const named = positionNamedByV8(text)
        if (named === null) continue
        compared += 1
        expect(findJsonMistake(text), text).to.equal(named)
      }
    }
    expect(compared).to.be.greaterThan(100)
  })
})

function positionNamedByV8(text: string): number | null {
  try {
    JSON.parse(text)
    return null
  } catch (error) {
    const position = / at position (\d+)/.exec((error as Error).message)?.[1]
    return position === undefined ? null : Number(position)
  }
}

describe('parseInput()', () => {
  it('names line and column and puts a caret below the mistake', () => {
    const error = failureOf('{"a":\n  [1,2\n  "b": 3}', '"in.json"')
    expect(error.code).to.equal('PARSE_ERROR')
    expect(error.details).to.include({ line: 3, column: 3 })
    expect(error.message).to.include(`line 3, column 3: Expected ',' or ']' after array element, found "\\""`)
    expect(error.message.split('\n').slice(-2)).to.deep.equal(['    "b": 3}', '    ^'])
  })

  it('shows a part of a long line', () => {
    const shown = failureOf(`[${'1,'.repeat(500)}x${',1'.repeat(500)}]`).message.split('\n')
    expect(shown.at(-2)).to.have.length.lessThan(80)
    expect(shown.at(-2)?.charAt(shown.at(-1)?.indexOf('^') ?? -1)).to.equal('x')
  })

  it('says what to do in a shell when quotes are missing', () => {
    expect(failureOf('{a:1}').message).to.include('single quotes')
  })

  it('shows control characters instead of sending them to the terminal', () => {
    expect(failureOf('["\u001b[2J"]').message).to.not.include('\u001b')
  })

  it('reads a file that begins with a byte order mark', () => {
    expect(parseInput('\ufeff[1]', '"x"')).to.deep.equal([1])
  })
})

describe('readInput()', () => {
  let folder = ''
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-cli-input-'))
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  it('reads JSON itself, a file after "@", and nothing as undefined', async () => {
    const file = path.join(folder, 'in.json')
    fs.writeFileSync(file, '{"a": [1]}')
    expect(await readInput('"text"')).to.equal('text')
    expect(await readInput(`@${file}`)).to.deep.equal({ a: [1] })
    expect(await readInput(undefined)).to.equal(undefined)
  })

  it('names a missing file and the folder it was looked for from', async () => {
    const error = await rejectionOf(readInput('@nowhere.json'))
    expect(error.code).to.equal('PARAMS_INVALID')
    expect(error.message).to.include('"nowhere.json"').and.include(process.cwd())
  })

  it('says that a folder is no file', async () => {
    expect((await rejectionOf(readInput(`@${folder}`))).message).to.include('it is a folder')
  })

  it('refuses a file that is not UTF-8', async () => {
    const file = path.join(folder, 'latin1.json')
    fs.writeFileSync(file, Buffer.from([0x22, 0xe9, 0x22]))
    expect((await rejectionOf(readInput(`@${file}`))).message).to.include('not UTF-8')
  })
})
