import net from 'node:net'
import tls from 'node:tls'
import { expect } from 'chai'
import * as fc from 'fast-check'

import { readFirstBytes } from '../../../../host/egress/client-hello.ts'
import { FUZZ_RUNS } from './host-spellings.ts'

/** The first bytes that Node's own TLS sends. */
async function helloTo(servername: string): Promise<Buffer> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const client = tls.connect({ port, host: '127.0.0.1', servername })
  client.on('error', () => {})
  try {
    const [socket] = await new Promise<net.Socket[]>((resolve) =>
      server.once('connection', (one) => resolve([one])),
    )
    return await new Promise<Buffer>((resolve) => socket!.once('data', resolve))
  } finally {
    client.destroy()
    server.close()
  }
}

/** Behind version and random: session id, cipher suites, compressions. */
function extensionsOffset(hello: Buffer): number {
  const suites = 43 + 1 + hello[43]!
  const compressions = suites + 2 + hello.readUInt16BE(suites)
  return compressions + 1 + hello[compressions]!
}

describe('readFirstBytes()', () => {
  let hello: Buffer
  before(async () => (hello = await helloTo('api.example.org')))

  it('finds the name that a TLS client asks for', () => {
    expect(readFirstBytes(hello)).to.deep.equal({ kind: 'named', serverName: 'api.example.org' })
  })

  it('finds it also when the hello is cut into many records', () => {
    const body = hello.subarray(5)
    const records = Array.from({ length: Math.ceil(body.length / 50) }, (_, at) => {
      const part = body.subarray(at * 50, at * 50 + 50)
      return Buffer.concat([Buffer.from([22, 3, 1, 0, part.length]), part])
    })
    expect(readFirstBytes(Buffer.concat(records))).to.have.property('kind', 'named')
  })

  it('reads no hello that is cut finer than any client does: each record would be read again with every byte', () => {
    const body = hello.subarray(5)
    const records = Array.from(body, (byte) => Buffer.from([22, 3, 1, 0, 1, byte]))
    expect(readFirstBytes(Buffer.concat(records)).kind).to.equal('broken')
    expect(readFirstBytes(Buffer.concat(records.slice(0, 60))).kind).to.equal('more')
  })

  it('waits for the rest at every byte before the end', () => {
    for (let length = 0; length < hello.length; length += 1)
      expect(readFirstBytes(hello.subarray(0, length)).kind, `${length} bytes`).to.equal('more')
  })

  it('says of a client that names nobody, and of no TLS, that there is nothing to compare', async () => {
    expect(readFirstBytes(await helloTo(''))).to.deep.equal({ kind: 'silent' })
    expect(readFirstBytes(Buffer.from('GET / HTTP/1.1\r\n'))).to.deep.equal({ kind: 'silent' })
    expect(readFirstBytes(Buffer.from('SSH-2.0-x\r\n'))).to.deep.equal({ kind: 'silent' })
  })

  it('lets nothing pass that begins with another record of TLS', () => {
    const change = Buffer.from([20, 3, 3, 0, 1, 1])
    expect(readFirstBytes(Buffer.concat([change, hello])).kind).to.equal('broken')
    expect(readFirstBytes(change.subarray(0, 1)).kind).to.equal('more')
    expect(readFirstBytes(Buffer.from([20, 0])).kind).to.equal('silent')
  })

  it('lets nothing pass that begins as TLS and has two names', () => {
    const name = Buffer.from('api.example.org')
    const entry = Buffer.concat([Buffer.from([0, 0, name.length]), name])
    const at = hello.indexOf(entry)
    const twice = Buffer.concat([hello.subarray(0, at), entry, hello.subarray(at)])
    // Of the list, its extension, all extensions, and the record.
    for (const offset of [at - 2, at - 4, extensionsOffset(hello), 3])
      twice.writeUInt16BE(hello.readUInt16BE(offset) + entry.length, offset)
    twice.writeUIntBE(hello.readUIntBE(6, 3) + entry.length, 6, 3)
    expect(readFirstBytes(twice).kind).to.equal('broken')
  })

  it('never throws, and never waits for more than a hello can have', function () {
    this.timeout(60_000)
    const garbled = fc
      .tuple(fc.nat(hello.length - 1), fc.uint8Array({ minLength: 1, maxLength: 6 }))
      .map(([at, bytes]) => {
        const copy = Buffer.from(hello)
        copy.set(bytes.subarray(0, copy.length - at), at)
        return copy
      })
    const any = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from([22, 3, 1, ...bytes]))
    fc.assert(
      fc.property(fc.oneof(garbled, any), (bytes) => {
        expect(readFirstBytes(bytes).kind).to.be.oneOf(['more', 'silent', 'named', 'broken'])
      }),
      { numRuns: FUZZ_RUNS / 2 },
    )
  })
})
