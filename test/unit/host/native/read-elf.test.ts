import { expect } from 'chai'
import * as fc from 'fast-check'
import { ExecutableError } from '../../../../host/native/executable-error.ts'
import { nativeMachine } from '../../../../host/native/machine-names.ts'
import { readElf, type ByteSource, type ElfFile } from '../../../../host/native/read-elf.ts'
import { elfFile, type ElfFields } from '../../../helpers/elf-file.ts'
import { fuzzAsync } from '../../../helpers/fuzz.ts'

const X64 = nativeMachine('x64')!
const MAX_READ_BYTES = 1024 * 1024

/** Counts what is read of it. */
class Bytes implements ByteSource {
  readonly #bytes: Buffer
  total = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get size(): number {
    return this.#bytes.length
  }

  async read(offset: number, length: number): Promise<Buffer> {
    expect(offset).to.be.at.least(0)
    this.total += length
    return this.#bytes.subarray(offset, offset + length)
  }
}

const read = (bytes: Buffer): Promise<ElfFile> => readElf(new Bytes(bytes), X64)

async function problemOf(bytes: Buffer): Promise<string> {
  try {
    await read(bytes)
  } catch (error) {
    if (error instanceof ExecutableError) return `${error.message}. ${error.remedy}`
    throw error
  }
  throw new Error('it was taken')
}

describe('readElf()', () => {
  it('finds the loader, the libraries and where they are looked for', async () => {
    const bytes = elfFile({
      type: 3,
      loader: '/lib64/ld-linux-x86-64.so.2',
      needed: ['libm.so.6', 'libc.so.6'],
      rpath: '/opt/a:$ORIGIN/b',
      runpath: '$ORIGIN::/c',
    })
    expect(await read(bytes)).to.deep.equal({
      kind: 'shared',
      hasEntry: true,
      loader: '/lib64/ld-linux-x86-64.so.2',
      needed: ['libm.so.6', 'libc.so.6'],
      rpath: ['/opt/a', '$ORIGIN/b'],
      runpath: ['$ORIGIN', '/c'],
    })
  })

  it('takes a static program, which needs nothing', async () =>
    expect(await read(elfFile())).to.deep.equal({
      kind: 'executable',
      hasEntry: true,
      loader: null,
      needed: [],
      rpath: [],
      runpath: [],
    }))

  it('reads programs of another machine where that is the machine', async () => {
    const arm = nativeMachine('arm64')!
    expect((await readElf(new Bytes(elfFile({ machine: 183 })), arm)).kind).to.equal('executable')
  })

  const refused: Readonly<Record<string, readonly [ElfFields, RegExp]>> = {
    'for aarch64': [
      { machine: 183 },
      /^it is for aarch64, this machine is x86-64\. Build it for x86-64 Linux$/,
    ],
    'for a machine without a name': [
      { machine: 4711 },
      /it is for machine 4711 of elf\.h, this machine is x86-64/,
    ],
    'big-endian': [{ machine: 21, endianness: 2 }, /it is for powerpc64 \(big-endian\), this machine/],
    'of 32 bits': [
      { class: 1, machine: 3 },
      /^it is a 32-bit program \(i386\), and only 64-bit ones run\. Build/,
    ],
    'of no class': [{ class: 7 }, /broken ELF file: it is of no known class/],
    'an object file': [{ type: 1 }, /^it is an object file, which was not linked\. Name a linked program$/],
    'a core dump': [{ type: 4 }, /it is a core dump/],
    'of an unknown type': [{ type: 0xfe00 }, /it is an ELF file of type 65024/],
    'with a control character in a name': [
      { needed: ['lib\u001b[2J.so'] },
      /a text of it is "lib\\u001b\[2J\.so"/,
    ],
    'with a loader of no end': [{ loader: 'x'.repeat(5000) }, /the name of its loader is too long/],
    'with a name of no end': [{ needed: ['x'.repeat(5000)] }, /a text of it has no end/],
    'that needs too much': [
      { needed: Array.from({ length: 257 }, (_, at) => `lib${at}.so`) },
      /needs more than 256 libraries/,
    ],
  }
  for (const [what, [fields, words]] of Object.entries(refused)) {
    it(`refuses a file ${what} in words`, async () =>
      expect(await problemOf(elfFile(fields))).to.match(words))
  }

  it('knows a library, which has nowhere to start', async () =>
    expect((await read(elfFile({ type: 3, entry: 0n }))).hasEntry).to.equal(false))

  it('refuses every length that it was cut to', async () => {
    const whole = elfFile({ loader: '/lib64/ld.so', needed: ['libc.so.6'], runpath: '$ORIGIN' })
    for (let length = 0; length < whole.length; length += 1) {
      const words = await problemOf(whole.subarray(0, length)).catch((error: unknown) => String(error))
      // The last entry of the dynamic section only ends it.
      if (length < whole.length - 16) expect(words, String(length)).to.match(/broken ELF file/)
    }
  })

  it('answers or refuses in words whatever its figures are, and reads no more than it may', async function () {
    this.timeout(60_000)
    const whole = elfFile({
      type: 3,
      loader: '/lib64/ld.so',
      needed: ['liba.so', 'libc.so.6'],
      rpath: '/a:/b',
    })
    const change = fc.record({
      at: fc.nat({ max: whole.length - 8 }),
      value: fc.oneof(
        fc.constantFrom(0n, 1n, 0xffffn, 0xffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn),
        fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
        fc.bigInt({ min: 0n, max: 1024n }),
      ),
      bytes: fc.constantFrom(1, 2, 4, 8),
    })
    const hostile = fc.record({
      changes: fc.array(change, { maxLength: 6 }),
      length: fc.oneof(fc.constant(whole.length), fc.nat({ max: whole.length })),
    })
    await fuzzAsync(
      fc.asyncProperty(hostile, async ({ changes, length }) => {
        const bytes = Buffer.from(whole)
        for (const { at, value, bytes: width } of changes)
          for (let byte = 0; byte < width; byte += 1)
            bytes[at + byte] = Number((value >> BigInt(8 * byte)) & 255n)
        const source = new Bytes(bytes.subarray(0, length))
        try {
          const { needed } = await readElf(source, X64)
          expect(needed.length).to.be.at.most(256)
        } catch (error) {
          if (!(error instanceof ExecutableError)) throw error
          expect(error.message.length).to.be.below(6000)
        }
        expect(source.total).to.be.below(2 * MAX_READ_BYTES)
      }),
    )
  })
})
