import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { parseLibraryCache } from '../../../../host/native/library-cache.ts'
import { fuzz } from '../../../helpers/fuzz.ts'
import { skipBecause } from '../../../helpers/skip.ts'

/** As ldconfig(8) writes it: each name with its path, and for which kind of processor. */
function cacheFile(entries: readonly (readonly [name: string, path: string, processor: bigint])[]): Buffer {
  const head = Buffer.alloc(48 + entries.length * 24)
  head.write('glibc-ld.so.cache1.1', 'latin1')
  head.writeUInt32LE(entries.length, 20)
  let texts = ''
  const add = (text: string): number => {
    const at = head.length + texts.length
    texts += `${text}\0`
    return at
  }
  for (const [index, [name, path, processor]] of entries.entries()) {
    const at = 48 + index * 24
    head.writeUInt32LE(add(name), at + 4)
    head.writeUInt32LE(add(path), at + 8)
    head.writeBigUInt64LE(processor, at + 16)
  }
  return Buffer.concat([head, Buffer.from(texts)])
}

describe('parseLibraryCache()', () => {
  it('has every path of a name, in order, but for those of newer processors', () => {
    const cache = parseLibraryCache(
      cacheFile([
        ['liba.so', '/x/v3/liba.so', 0x4000_0000_0000_0002n],
        ['liba.so', '/x/liba.so', 0n],
        ['libb.so', 'relative/libb.so', 0n],
        ['liba.so', '/y/liba.so', 0n],
      ]),
    )
    expect([...cache]).to.deep.equal([['liba.so', ['/x/liba.so', '/y/liba.so']]])
  })

  it('finds the C library in that of this machine', function () {
    if (!existsSync('/etc/ld.so.cache')) skipBecause.call(this, 'there is no /etc/ld.so.cache')
    const paths = parseLibraryCache(readFileSync('/etc/ld.so.cache')).get('libc.so.6') ?? []
    expect(paths.some((path) => existsSync(path))).to.equal(true)
  })

  it('takes any bytes', function () {
    this.timeout(60_000)
    const whole = cacheFile([['liba.so', '/x/liba.so', 0n]])
    const changes = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
      maxLength: 8,
    })
    fuzz(
      fc.property(changes, fc.nat({ max: whole.length }), (changed, length) => {
        const bytes = Buffer.from(whole)
        for (const [at, value] of changed) bytes[at] = value
        parseLibraryCache(bytes.subarray(0, length))
      }),
    )
  })
})
