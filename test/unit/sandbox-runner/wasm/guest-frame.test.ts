import { expect } from 'chai'
import { GuestFrameReader } from '../../../../sandbox-runner/wasm/guest-frame.ts'

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
