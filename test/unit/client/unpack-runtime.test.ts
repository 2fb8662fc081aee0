import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { readTar } from '../../../src/client/runtime/read-tar.ts'
import { unpackRuntime } from '../../../src/client/runtime/unpack-runtime.ts'
import { tarballOf, tarOf, type TarPart } from '../../helpers/tar.ts'

const NODE: TarPart = { name: 'package/bin/node', body: '#!/bin/sh\necho v26.10.0\n' }
const LICENSE: TarPart = { name: 'package/LICENSE', body: 'MIT' }
const MORE: TarPart[] = [
  { name: 'package/include/', type: '5' },
  { name: 'node.h', prefix: 'package/include', body: 'x'.repeat(700) },
]

describe("unpacking npm's package of Node", () => {
  let folder = ''
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-tar-'))))
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

  /** What stands in the whole of the test's folder, but the tarball. */
  function made(): string[] {
    return fs
      .readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => fs.lstatSync(path.join(folder, file)).isFile() && file !== 'package.tgz')
      .toSorted()
  }

  async function unpack(tarball: Buffer): Promise<unknown> {
    fs.rmSync(path.join(folder, 'in'), { recursive: true, force: true })
    fs.writeFileSync(path.join(folder, 'package.tgz'), tarball)
    return await unpackRuntime(path.join(folder, 'package.tgz'), path.join(folder, 'in/copy')).then(
      () => null,
      (error: unknown) => error,
    )
  }

  it('takes the executable and the licence, with their own modes, and nothing else', async () => {
    const umask = process.umask(0o077)
    try {
      expect(await unpack(tarballOf([...MORE, NODE, LICENSE]))).to.equal(null)
    } finally {
      process.umask(umask)
    }
    expect(made()).to.deep.equal(['in/copy/LICENSE', 'in/copy/bin/node'])
    expect(fs.readFileSync(path.join(folder, 'in/copy/bin/node'), 'utf8')).to.equal(NODE.body)
    expect(fs.statSync(path.join(folder, 'in/copy/bin/node')).mode & 0o777).to.equal(0o755)
    expect(fs.statSync(path.join(folder, 'in/copy/LICENSE')).mode & 0o777).to.equal(0o644)
  })

  const hostile: [what: string, parts: TarPart[], found: RegExp][] = [
    ['a name with ..', [{ name: 'package/../../../evil', body: 'x' }], /leads out/],
    ['.. in the prefix', [{ name: 'evil', prefix: 'package/../..', body: 'x' }], /leads out/],
    ['an absolute name', [{ name: '/tmp/phantom-evil', body: 'x' }], /leads out/],
    ['a backslash', [{ name: 'package\\..\\evil', body: 'x' }], /leads out/],
    ['no name', [{ name: '', body: 'x' }], /leads out/],
    ['a symbolic link for the executable', [{ ...NODE, type: '2', link: '/bin/sh', body: '' }], /type "2"/],
    ['a folder that is a link', [{ name: 'package/bin', type: '2', link: '/tmp' }, NODE], /type "2"/],
    ['a hard link', [{ name: 'package/LICENSE', type: '1', link: '/etc/passwd' }], /type "1"/],
    ['a device', [{ name: 'package/zero', type: '3' }], /type "3"/],
    ['a pax header that renames', [{ name: 'x', type: 'x', body: '26 path=package/bin/node\n' }], /type "x"/],
    ['a long name of GNU', [{ name: 'x', type: 'L', body: '/tmp/evil\0' }], /type "L"/],
    ['the executable twice', [NODE, NODE, LICENSE], /in an odd way/],
    ['a folder for the executable', [{ name: NODE.name, type: '5' }], /in an odd way/],
    ['a wrong checksum', [{ ...NODE, isDamaged: true }], /wrong checksum/],
    [
      'a size in base 256',
      [{ ...NODE, size: '\u0080\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0001' }],
      /no octal/,
    ],
    ['a negative size', [{ ...NODE, size: '-0000000100\0' }], /no octal/],
    ['an executable of 8 GiB', [{ ...NODE, size: '77777777777\0' }], /has 8589934591 bytes/],
    [
      'a licence larger than what it holds',
      [{ ...LICENSE, size: '00000010000\0' }, NODE],
      /in the middle|octal|checksum/,
    ],
    ['no executable', [LICENSE, ...MORE], /holds no "package\/bin\/node"/],
    ['no licence', [NODE], /holds no "package\/LICENSE"/],
  ]
  for (const [what, parts, found] of hostile) {
    it(`refuses ${what}`, async () => {
      const error = await unpack(tarballOf(parts))
      expect(error).to.include({ name: 'TarError' })
      expect((error as Error).message).to.match(found)
      // At most the two files that were opened for what is wanted, inside the folder that its owner removes.
      expect(['in/copy/LICENSE', 'in/copy/bin/node']).to.include.members(made())
      expect(fs.existsSync('/tmp/phantom-evil') || fs.existsSync(path.join(folder, 'evil'))).to.equal(false)
    })
  }

  it('refuses an archive that ends early, and one that is not compressed', async () => {
    const whole = tarOf([NODE, LICENSE])
    expect(await unpack(gzipSync(whole.subarray(0, 700)))).to.include({ name: 'TarError' })
    expect(await unpack(whole)).to.include({ code: 'Z_DATA_ERROR' })
    expect(await unpack(gzipSync(whole).subarray(0, 100))).to.include({ code: 'Z_BUF_ERROR' })
  })

  it('stops reading what unpacks to more than is allowed', async () => {
    let chunks = 0
    async function* endless(): AsyncGenerator<Buffer> {
      yield tarOf([{ ...LICENSE, size: '07777777777\0', body: '' }]).subarray(0, 512)
      for (;;) yield Buffer.alloc(1024, ++chunks)
    }
    const failure = await readTar(endless(), { maxBytes: 100_000 }, () => null).catch(
      (error: unknown) => error,
    )
    expect((failure as Error).message).to.include('more than 100000 bytes')
    expect(chunks).to.be.lessThan(100)
  })
})
