import { expect } from 'chai'
import {
  GuestFrameReader,
  RequestFrames,
  toFrame,
  type GuestFrame,
} from '../../../../sandbox-runner/wasm/guest-frame.ts'

const BEFORE = 'xx'

/** What is read of a frame that lies somewhere in a memory, with other bytes around it. */
function read(frame: string, after = '}\n{"jsonrpc"'): { message: object; payload: string | null } {
  const memory = Buffer.from(`${BEFORE}${frame}${after}`)
  const length = Buffer.byteLength(frame)
  const range = { address: BEFORE.length, length }
  const { message, payload } = new GuestFrameReader().read(memory, range, 'its answer')
  memory.fill(0)
  return { message, payload: payload === null ? null : payload.toString() }
}

function result(id: string, bytes: string, payload: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":null,"payload_bytes":${bytes}}\n${payload}`
}

/** What is written of a frame; nothing around it may be touched. */
function written(frame: GuestFrame): string {
  const memory = Buffer.alloc(frame.byteLength + 2, 'x')
  frame.write(memory, 1)
  expect([memory[0], memory.at(-1)]).to.deep.equal([0x78, 0x78])
  return memory.toString('utf8', 1, memory.length - 1)
}

describe('the frames for a guest', () => {
  it('are written as JSON would be, whatever their ids, params and payloads', () => {
    const frames = new RequestFrames()
    const params = [
      Object.freeze({ operation: 'echo' }),
      Object.freeze({ operation: 'grüß' }),
      { config: {} },
    ]
    const ids = [0, 7, 9, 10, 99, 100, 1_234_567, Number.MAX_SAFE_INTEGER, -1, 1.5, 1e21]
    const sizes = [null, 0, 1, 9, 10, 99, 100, 1000]
    const said = params.flatMap((one) => ['execute', 'configure'].map((method) => ({ method, params: one })))
    for (const id of ids) {
      for (const size of sizes) {
        const payload = size === null ? null : Buffer.alloc(size, 'p')
        const announced = size === null ? {} : { payload_bytes: size }
        for (const request of said) {
          const line = JSON.stringify({ jsonrpc: '2.0', id, ...request, ...announced })
          const text = written(frames.frameOf({ id, payload, ...request }))
          expect(text).to.equal(`${line}\n${payload?.toString() ?? ''}`)
        }
      }
    }
    expect(written(toFrame('{"grüß":1', Buffer.from('[1]')))).to.equal('{"grüß":1,"payload_bytes":3}\n[1]')
    expect(written(toFrame('{"id":1', null))).to.equal('{"id":1}\n')
  })

  it('have the params as they are, where those may change', () => {
    const frames = new RequestFrames()
    const params = { operation: 'a' }
    const text = (): string => written(frames.frameOf({ id: 1, method: 'execute', params, payload: null }))
    expect(text()).to.include('"operation":"a"')
    params.operation = 'b'
    expect(text()).to.include('"operation":"b"')
  })
})

describe('the frames of a guest', () => {
  it('are read with a copy of their payload', () => {
    for (const id of ['0', '7', '1234567890', '999999999999999', '1234567890123456']) {
      expect(read(result(id, '7', '"grüß"').replace(':7}', ':8}'))).to.deep.equal({
        message: { jsonrpc: '2.0', id: Number(id), result: null, payload_bytes: 8 },
        payload: '"grüß"',
      })
    }
    expect(read(result('3', '0', ''), '')).to.deep.include({ payload: '' })
    expect(read('{"jsonrpc":"2.0","id":3,"result":{"veto":null}}\n')).to.deep.equal({
      message: { jsonrpc: '2.0', id: 3, result: { veto: null } },
      payload: null,
    })
    expect(read(` ${result('3', '2', '[]')}`).payload).to.equal('[]')
  })

  it('are told of, and not copied, where they are larger than they may be', () => {
    const reader = new GuestFrameReader(1024)
    for (const [bytes, spaced] of [1024, 1025, 4096].flatMap((size) => [
      [size, ''] as const,
      [size, ' '] as const,
    ])) {
      const memory = Buffer.from(spaced + result('3', String(bytes), 'p'.repeat(bytes)))
      const { message, payload } = reader.read(memory, { address: 0, length: memory.length }, 'its answer')
      expect(message['payload_bytes']).to.equal(bytes)
      expect(payload?.length ?? null).to.equal(bytes > 1024 ? null : bytes)
    }
  })

  it('are refused where they are no frames, however near to one', () => {
    for (const [frame, why] of [
      [result('01', '2', '[]'), /no JSON/],
      [result('', '2', '[]'), /no JSON/],
      [result('3', '02', '[]'), /no JSON/],
      [result('3', '', '[]'), /no JSON/],
      [result('3', '3', '[]'), /announces 3 bytes of payload, and 2 bytes stand behind its line/],
      [result('3', '1', '[]'), /announces 1 bytes of payload, and 2 bytes/],
      [result('3', '99999999999999999999', '[]'), /and 2 bytes stand/],
      [result('3', '2', '').trimEnd(), /no newline behind its JSON/],
      ['{"jsonrpc":"2.0","id":', /no newline behind its JSON/],
      ['{"jsonrpc":"2.0","id":3,"result":null,"payload_bytes":2}', /no newline behind its JSON/],
    ] as const) {
      expect(() => read(frame), frame).to.throw(why)
      expect(() => read(frame, ''), `${frame} at the memory's end`).to.throw(why)
    }
  })
})
