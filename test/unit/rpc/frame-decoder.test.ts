import { expect } from 'chai'
import { FrameDecoder, type Message } from '../../../src/rpc/frame-decoder.ts'
import type { PhantomError } from '../../../src/contract/phantom-error.ts'

interface Seen {
  frames: { message: Message; payload: string | null }[]
  bad: string[]
  decoder: FrameDecoder
}

function collect(
  options: { payloadFrames?: boolean; maxFrameBytes?: number; maxPayloadBytes?: number } = {},
): Seen {
  const seen: Omit<Seen, 'decoder'> = { frames: [], bad: [] }
  const decoder = new FrameDecoder({
    ownsChunks: false,
    payloadFrames: options.payloadFrames ?? true,
    maxFrameBytes: options.maxFrameBytes ?? 1000,
    maxPayloadBytes: options.maxPayloadBytes ?? 1000,
    onFrame: (message, payload) => seen.frames.push({ message, payload: payload?.toString() ?? null }),
    onBadLine: (error: PhantomError) => seen.bad.push(error.code),
  })
  return { ...seen, decoder }
}

const STREAM = Buffer.from(
  '{"a":1}\n{"b":2,"payload_bytes":5}\n{\n"}x{"c":"é"}\n\n{"d":4,"payload_bytes":0}\n{"e":5}\r\n',
)

describe('FrameDecoder', () => {
  it('cuts the same frames whatever the chunks are', () => {
    for (let size = 1; size <= STREAM.length; size += 1) {
      const { decoder, frames } = collect()
      for (let at = 0; at < STREAM.length; at += size) decoder.push(STREAM.subarray(at, at + size))
      expect(frames, `chunks of ${size}`).to.deep.equal([
        { message: { a: 1 }, payload: null },
        { message: { b: 2, payload_bytes: 5 }, payload: '{\n"}x' },
        { message: { c: 'é' }, payload: null },
        { message: { d: 4, payload_bytes: 0 }, payload: '' },
        { message: { e: 5 }, payload: null },
      ])
      expect(decoder.isPartial).to.equal(false)
    }
  })

  it('reads no more frames than it may, and says how far it came', () => {
    for (const [maxFrames, lines] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [9, 5],
    ] as const) {
      const { decoder, frames } = collect()
      const taken = decoder.push(STREAM, maxFrames)
      expect(frames).to.have.length(lines)
      while (frames.length < 5) decoder.push(STREAM.subarray(taken))
      expect(frames.map(({ message }) => Object.keys(message)[0])).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
    }
  })

  it('reports a line that is no JSON object and goes on behind it', () => {
    const { decoder, frames, bad } = collect()
    decoder.push(Buffer.from('garbage\n[1]\n"x"\nnull\n{"ok":1}\n'))
    expect(bad).to.deep.equal(['PARSE_ERROR', 'REQUEST_INVALID', 'REQUEST_INVALID', 'REQUEST_INVALID'])
    expect(frames).to.have.length(1)
  })

  it('refuses a line past its maximum before it holds more than that', () => {
    const { decoder } = collect({ maxFrameBytes: 100 })
    decoder.push(Buffer.alloc(100, 0x20))
    expect(() => decoder.push(Buffer.from(' '))).to.throw('longer than 100 bytes')
  })

  for (const bytes of ['-1', '1.5', '1e9', '"5"', 'null', '[]', '9007199254740993', 'true']) {
    it(`refuses payload_bytes ${bytes} without reserving anything`, () => {
      const { decoder } = collect()
      expect(() => decoder.push(Buffer.from(`{"payload_bytes":${bytes}}\n`))).to.throw('"payload_bytes" is')
    })
  }

  it('refuses a payload before the handshake allowed it', () => {
    const { decoder, frames } = collect({ payloadFrames: false })
    expect(() => decoder.push(Buffer.from('{"payload_bytes":1}\nx'))).to.throw('handshake')
    decoder.allow({ payloadFrames: true })
    const later = collect({ payloadFrames: true })
    later.decoder.push(Buffer.from('{"payload_bytes":1}\nx'))
    expect(frames).to.have.length(0)
    expect(later.frames).to.have.length(1)
  })

  it('keeps no memory for a payload that was announced and never sent', () => {
    const { decoder } = collect({ maxPayloadBytes: 1024 ** 3 })
    const before = process.memoryUsage.rss()
    decoder.push(Buffer.from(`{"payload_bytes":${512 * 1024 * 1024}}\nx`))
    expect(decoder.isPartial).to.equal(true)
    expect(process.memoryUsage.rss() - before).to.be.below(64 * 1024 * 1024)
  })

  describe('with room for payloads that are still arriving', () => {
    const BYTES = Buffer.from(`{"id":1,"payload_bytes":10}\n0123456789{"id":2}\n`)

    function inRoom(mostBytes: number) {
      const room = {
        held: 0,
        most: 0,
        take(bytes: number, taken: number): boolean {
          if (taken >= mostBytes) return false
          room.held += bytes
          room.most = Math.max(room.most, room.held)
          return true
        },
        give: (bytes: number): void => void (room.held -= bytes),
      }
      const seen: [unknown, string | null][] = []
      const refused: unknown[] = []
      const decoder = new FrameDecoder({
        ownsChunks: false,
        payloadFrames: true,
        maxFrameBytes: 1000,
        maxPayloadBytes: 1000,
        room,
        onFrame: (message, payload) => seen.push([message['id'], payload?.toString() ?? null]),
        onRefusedPayload: (message) => refused.push(message['id']),
        onBadLine: () => undefined,
      })
      return { room, decoder, seen, refused }
    }

    it('counts what came, and gives it back when it is whole, whatever the chunks are', () => {
      for (let size = 1; size <= BYTES.length; size += 1) {
        const { room, decoder, seen, refused } = inRoom(100)
        for (let at = 0; at < BYTES.length; at += size) decoder.push(BYTES.subarray(at, at + size))
        const whole = [
          [1, '0123456789'],
          [2, null],
        ]
        expect({ seen, refused }, `chunks of ${size}`).to.deep.equal({ seen: whole, refused: [] })
        expect(room.held).to.equal(0)
      }
    })

    it('reads past what finds no room, holds nothing of it, and goes on behind it', () => {
      const { room, decoder, seen, refused } = inRoom(4)
      for (const byte of BYTES) decoder.push(Buffer.of(byte))
      expect({ seen, refused }).to.deep.equal({ seen: [[2, null]], refused: [1] })
      expect(room).to.include({ held: 0, most: 4 })
    })

    it('gives back what had come when it is closed, and reads no more', () => {
      const { room, decoder, seen } = inRoom(100)
      decoder.push(BYTES.subarray(0, 33))
      expect(room.held).to.equal(5)
      decoder.close()
      expect(room.held).to.equal(0)
      decoder.push(BYTES.subarray(33))
      decoder.close()
      expect(room.held).to.equal(0)
      expect(seen).to.deep.equal([])
    })
  })
})
