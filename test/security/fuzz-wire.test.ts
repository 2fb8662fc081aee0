import { expect } from 'chai'
import * as fc from 'fast-check'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import { CanonicalLines } from '../../src/rpc/canonical-lines.ts'
import { FrameDecoder } from '../../src/rpc/frame-decoder.ts'
import { parseHostileJson } from '../../src/rpc/hostile-json.ts'
import { ResultLines } from '../../src/rpc/result-lines.ts'
import { fuzz, textOf } from '../helpers/fuzz.ts'

const HEAD = '{"jsonrpc":"2.0","id":'
const PARTS = [
  HEAD,
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\\"',
  '\\u007d',
  '1',
  '07',
  '-1',
  '1e3',
  '9007199254740993',
  'null',
  'true',
  '"method":"execute_plugin"',
  ',"method":"',
  'execute_plugin',
  '","params":',
  '{"plugin_id":"a","operation":"b"}',
  '{"__proto__":1}',
  '{"a":1,"a":2}',
  ',"payload_bytes":',
  ',"result":null',
  ',"result":{',
  '"execution_id":"x-1","execution_time_ms":1.5,"memory_used_bytes":1,"cpu_time_ms":0,',
  '"plugin_id":"a","success":true,"result":null,"error":null,"warnings":[],"logs":[],"created_files":[],"network_requests":0,"metadata":{}}',
  ',"success":false',
  '"input":{}',
  ' ',
]
/** What our own peers write, for a piece of it to be changed. */
const OURS = [
  `${HEAD}1,"method":"execute_plugin","params":{"plugin_id":"a","operation":"b"},"payload_bytes":12}`,
  `${HEAD}7,"result":null}`,
  `${HEAD}7,"result":null,"payload_bytes":0}`,
  `${HEAD}3,"result":{"execution_id":"x-1","execution_time_ms":1.5,"memory_used_bytes":1,"cpu_time_ms":0,"plugin_id":"a","success":true,"result":null,"error":null,"warnings":[],"logs":[],"created_files":[],"network_requests":0,"metadata":{}},"payload_bytes":4}`,
]
const line = fc
  .oneof(
    textOf(PARTS, 10),
    fc
      .tuple(fc.constantFrom(...OURS), fc.nat(400), fc.nat(8), textOf(PARTS, 2))
      .map(
        ([text, at, length, put]) =>
          text.slice(0, at % text.length) + put + text.slice((at % text.length) + length),
      ),
    fc.tuple(fc.constantFrom(...OURS), fc.constantFrom(...OURS)).map((both) => both.join('')),
  )
  .map((text) => text.replaceAll('\n', ''))

describe('A line of the wire as somebody hostile may write it', function () {
  this.timeout(60_000)

  for (const [name, reader] of [
    ['CanonicalLines', new CanonicalLines()],
    ['ResultLines', new ResultLines()],
  ] as const) {
    it(`is read by ${name} just as the real parser reads it, or left to that`, () => {
      fuzz(
        fc.property(line, (text) => {
          const fast = reader.read(text)
          if (fast === null) return
          // Twice: what was known from before must say the same.
          expect(reader.read(text)).to.deep.equal(fast)
          expect(JSON.parse(JSON.stringify(fast))).to.deep.equal(parseHostileJson(text))
        }),
      )
    })
  }

  it('makes the same frames however the bytes are cut, and errors that are ours alone', () => {
    const stream = fc.tuple(
      fc
        .array(fc.oneof(line, fc.constantFrom(...OURS, '', '\r')), { maxLength: 5 })
        .map((all) => all.join('\n')),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
    )
    fuzz(
      fc.property(stream, ([text, sizes]) => {
        const bytes = Buffer.from(`${text}\n`)
        expect(framesOf(bytes, sizes)).to.deep.equal(framesOf(bytes, [bytes.length]))
      }),
    )
  })
})

/** What a decoder makes of a stream that comes in such pieces, up to where it can't be followed any further. */
function framesOf(bytes: Buffer, sizes: readonly number[]): unknown[] {
  const seen: unknown[] = []
  const decoder = new FrameDecoder({
    ownsChunks: false,
    payloadFrames: true,
    maxFrameBytes: 2000,
    maxPayloadBytes: 1000,
    onFrame: (message, payload) => seen.push({ ...message, bytes: payload?.toString('hex') ?? null }),
    onBadLine: (error, id) => seen.push([error.code, id]),
  })
  try {
    for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
      const end = at + sizes[piece % sizes.length]!
      decoder.push(Buffer.from(bytes.subarray(at, end)))
      at = end
    }
  } catch (error) {
    if (!isPhantomError(error)) throw error
    seen.push(error.code)
  }
  return seen
}
