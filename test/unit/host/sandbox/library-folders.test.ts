import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { copyLibraries } from '../../../../host/sandbox/library-folders.ts'

describe('copyLibraries()', () => {
  let folder: string
  let libraries: string[]
  const own = (): string => path.join(folder, 'own')

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-libraries-'))
    libraries = ['lib/a.so', 'lib/b.so', 'lib64/ld.so'].map((name) => path.join(folder, name))
    for (const library of libraries) {
      fs.mkdirSync(path.dirname(library), { recursive: true })
      fs.writeFileSync(library, path.basename(library), { mode: 0o600 })
    }
    fs.writeFileSync(path.join(folder, 'lib/other.so'), 'not needed')
  })
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('puts what lies in one folder into one, and nothing else, for everybody to read and run', () => {
    const folders = copyLibraries(libraries, own())
    expect(folders.map(({ at }) => path.relative(folder, at))).to.deep.equal(['lib', 'lib64'])
    const [first, second] = folders.map(({ from }) => from) as [string, string]
    expect(fs.readdirSync(first)).to.have.members(['a.so', 'b.so'])
    expect(fs.readFileSync(path.join(second, 'ld.so'), 'utf8')).to.equal('ld.so')
    for (const place of [first, second, path.join(first, 'a.so')])
      expect(fs.statSync(place).mode & 0o777, place).to.equal(0o755)
  })

  it('keeps them until one of them is another, and then keeps no older ones', () => {
    const [before] = copyLibraries(libraries, own())
    const madeAt = fs.statSync(before!.from).ino
    expect(fs.statSync(copyLibraries(libraries, own())[0]!.from).ino).to.equal(madeAt)
    fs.writeFileSync(libraries[0]!, 'a newer one')
    const [after] = copyLibraries(libraries, own())
    expect(fs.readFileSync(path.join(after!.from, 'a.so'), 'utf8')).to.equal('a newer one')
    expect(fs.readdirSync(path.join(own(), 'libraries'))).to.have.length(1)
  })

  it('leaves nothing half made', () => {
    fs.mkdirSync(own())
    expect(() => copyLibraries([...libraries, path.join(folder, 'lib/missing.so')], own())).to.throw('ENOENT')
    fs.rmSync(libraries[1]!)
    fs.mkdirSync(libraries[1]!)
    expect(() => copyLibraries(libraries, own())).to.throw()
    expect(fs.readdirSync(path.join(own(), 'libraries'))).to.deep.equal([])
  })
})
