import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { measureFolder } from '../../../../../host/monitor/disk/measure-folder.ts'

describe('measureFolder()', () => {
  let folder = ''
  const at = (...names: string[]): string => path.join(folder, ...names)
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-measure-'))
  })
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('counts each file and folder as 4 KiB at least, and what it has on the disk', () => {
    fs.mkdirSync(at('a/b'), { recursive: true })
    fs.writeFileSync(at('a/b/one'), 'x')
    fs.writeFileSync(at('two'), Buffer.alloc(100_000, 1))
    const { bytes, files, problem } = measureFolder(folder, Infinity)
    expect({ files, problem }).to.deep.equal({ files: 4, problem: null })
    expect(bytes).to.be.within(3 * 4096 + 100_000, 3 * 4096 + 200_000)
  })

  it('counts holes as nothing, and a file of two names once', () => {
    fs.writeFileSync(at('hole'), '')
    fs.truncateSync(at('hole'), 1_000_000_000)
    fs.writeFileSync(at('one'), Buffer.alloc(100_000, 1))
    fs.linkSync(at('one'), at('other'))
    const { bytes, files } = measureFolder(folder, Infinity)
    expect(files).to.equal(2)
    expect(bytes).to.be.below(300_000)
  })

  it('follows no link', () => {
    fs.symlinkSync('/', at('everything'))
    fs.symlinkSync('.', at('itself'))
    expect(measureFolder(folder, Infinity)).to.deep.include({ files: 2, problem: null })
  })

  it('ends when the limit is passed', () => {
    for (let count = 0; count < 100; count += 1) fs.writeFileSync(at(`file-${count}`), '')
    expect(measureFolder(folder, 10 * 4096)).to.deep.include({ files: 11, bytes: 11 * 4096 })
  })

  it('says of folders that are too deep that they cannot be measured', () => {
    fs.mkdirSync(at(...Array.from({ length: 70 }, () => 'd')), { recursive: true })
    expect(measureFolder(folder, Infinity).problem).to.equal('its folders are deeper than 64')
  })

  it('takes a folder that is gone for an empty one', () => {
    expect(measureFolder(at('nowhere'), 1)).to.deep.equal({ bytes: 0, files: 0, problem: null })
  })
})
