import { expect } from 'chai'
import * as fc from 'fast-check'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { fuzzAsync } from '../helpers/fuzz.ts'
import { GuestWorld } from '../unit/sandbox-runner/wasm/guest-world.ts'

const NAMES = Object.keys(RUNNER_ERRORS)

/** What stands in a frame, and what a careless or hostile plugin might put there. */
const values = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('2.0', 1, 99, -34001, -34007, 'execute', { code: -34001, message: 'x' }, { code: 'x' }),
)
const keys = fc.constantFrom(
  'jsonrpc',
  'id',
  'result',
  'error',
  'method',
  'params',
  'payload_bytes',
  '__proto__',
)
const messages = fc
  .array(fc.tuple(keys, values), { maxLength: 6 })
  .map((pairs) => `{${pairs.map(([key, value]) => `"${key}":${JSON.stringify(value)}`).join(',')}}`)
const frames = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.tuple(messages, fc.string({ maxLength: 20 })).map(([line, rest]) => Buffer.from(`${line}\n${rest}`)),
  messages.map((line) => Buffer.from(line)),
)

/** Each is a call of a real instance, and made anew where it ends it. */
const CASES = 25_000

describe('Frames of a WebAssembly plugin', function () {
  this.timeout(60_000)

  it('are a result, a failure in a word of the contract, or the end of its instance, whatever they hold', async () => {
    const world = await GuestWorld.started({
      execute: '(call $raw (local.get $payload) (local.get $length))',
    })
    await fuzzAsync(
      fc.asyncProperty(frames, async (frame) => {
        const answer = await world.execute(frame)
        if (answer.error === null) expect(answer.result).not.to.equal(undefined)
        else expect(answer.error.data?.name).to.be.oneOf(NAMES)
      }),
      CASES,
    )
    expect({}).not.to.have.property('polluted')
  })

  it('are answered or end the call where they ask the host', async () => {
    const world = await GuestWorld.started({
      callsHost: true,
      execute: `(local.set $r (call $call (local.get $payload) (local.get $length)))
        (call $result (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.wrap_i64 (local.get $r)))`,
    })
    await fuzzAsync(
      fc.asyncProperty(frames, async (frame) => {
        const answer = await world.execute(frame)
        if (answer.error === null) {
          const { error, result } = JSON.parse(String(answer.payload)) as {
            error?: { code: number }
            result?: unknown
          }
          expect(error === undefined ? result : error.code).not.to.equal(undefined)
        } else expect(answer.error.data?.name).to.equal('fault')
      }),
      CASES,
    )
  })
})
