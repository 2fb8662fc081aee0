import fs from 'node:fs'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { committedModule, GUESTS } from '../../.scripts/build-guests.mjs'
import { fuzz, textOf } from '../helpers/fuzz.ts'
import { WasmGuest } from '../helpers/wasm-guest.ts'

const NUMBER_PARTS = [
  '0',
  '1',
  '9',
  '45',
  '0000',
  '.',
  'e',
  'E',
  '-',
  '+',
  '17976931348623157',
  '308',
  '324',
  '22250738585072014',
]
const TEXT_PARTS = [
  'a',
  '"',
  '\\',
  '\\"',
  '\\\\',
  '\\n',
  '\\u',
  '00',
  'd83d',
  '\\ud83d',
  '\\udE00',
  '\\u0000',
  'é',
  '😀',
  '\n',
  '\u007f',
]
const VALUE_PARTS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\n',
  '"a"',
  '"a":',
  '1',
  '-0',
  '1e5',
  'true',
  'null',
  'fals',
  '"\\u00',
  '[[[[',
  ']]]]',
]

/** As JSON.parse has it, of bytes that must be UTF-8. */
function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return true
  } catch {
    return false
  }
}

/** Each is two calls of a guest, and the reader is a small program. */
const CASES = 25_000
const LANGUAGES = ['assemblyscript', 'c'] as const

describe('JSON that a guest reads, in AssemblyScript and in C', function () {
  this.timeout(60_000)
  const guests = new Map<string, WasmGuest>()
  const ask = (guest: WasmGuest, operation: string, input: string | Uint8Array) =>
    guest.request('execute', { operation, timeout_ms: 9 }, Buffer.from(input as string))

  before(() => {
    for (const language of LANGUAGES) {
      const one = GUESTS.find(({ name }) => name === `conformance-${language}`)!
      const calls = { sleep: () => ({}), log: () => ({}) }
      const guest = new WasmGuest(fs.readFileSync(committedModule(one)), calls)
      expect(guest.initialize().error).to.equal(undefined)
      guests.set(language, guest)
    }
  })

  it('is what JSON.parse takes, and nothing else', () => {
    const texts = textOf(VALUE_PARTS).map((text) => Buffer.from(text))
    const broken = fc
      .tuple(fc.jsonValue(), fc.uint8Array({ maxLength: 3 }), fc.nat())
      .map(([value, put, at]) => {
        const whole = Buffer.from(JSON.stringify(value))
        const cut = at % (whole.length + 1)
        return Buffer.concat([whole.subarray(0, cut), put, whole.subarray(cut)])
      })
    fuzz(
      fc.property(fc.oneof(texts, broken), (input) => {
        // No input at all is null.
        const expected = input.length === 0 || isJson(input) ? 'taken' : 'input_invalid'
        for (const [language, guest] of guests) {
          const { error } = ask(guest, 'word_count', input)
          expect(error?.data.name ?? 'taken', language).to.equal(expected)
        }
      }),
      CASES,
    )
  })

  it('has the texts that JSON.parse has', () => {
    fuzz(
      fc.property(textOf(TEXT_PARTS), (text) => {
        const input = `{"level":"warn","message":"${text}"}`
        const isRead = isJson(Buffer.from(input))
        const { message = '' } = isRead ? (JSON.parse(input) as { message?: string }) : {}
        for (const [language, guest] of guests) {
          const { error } = ask(guest, 'log', input)
          expect(error === undefined, language).to.equal(isRead)
          if (!isRead) continue
          const said = String(guest.asked.splice(0).at(-1)?.params['message'])
          expect(said.toWellFormed(), language).to.equal(message.toWellFormed())
        }
      }),
      CASES,
    )
  })

  it('has the numbers that JSON.parse has, however they are written', () => {
    const long = fc
      .tuple(
        fc.stringMatching(/^[0-9]{1,40}$/),
        fc.oneof(
          { weight: 20, arbitrary: fc.stringMatching(/^[0-9]{1,40}$/) },
          fc.stringMatching(/^[0-9]{780,800}$/),
        ),
        fc.integer({ min: -400, max: 400 }),
      )
      .map(([whole, fraction, exponent]) => `${BigInt(whole)}.${fraction}e${exponent}`)
    const exact = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toPrecision(21))
    fuzz(
      fc.property(fc.oneof(textOf(NUMBER_PARTS, 6), long, exact), (text) => {
        const input = `{"duration_ms":${text}}`
        const isRead = isJson(Buffer.from(input))
        const { duration_ms: read } = isRead ? (JSON.parse(input) as { duration_ms: unknown }) : {}
        const expected = typeof read === 'number' ? read : 0
        for (const [language, guest] of guests) {
          const { error, payload } = ask(guest, 'sleep', input)
          expect(error === undefined, language).to.equal(isRead)
          if (!isRead) continue
          const { slept_ms: slept } = JSON.parse(payload ?? '') as { slept_ms: number | null }
          expect(slept, language).to.equal(Number.isFinite(expected) ? expected + 0 : null)
        }
      }),
      CASES,
    )
  })
})
