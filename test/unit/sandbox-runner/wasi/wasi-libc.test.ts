import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { WasiGuest } from '../../../helpers/wasi-guest.ts'

const MODULE = path.resolve(import.meta.dirname, '../../../fixtures/wasi-libc/uses-files.wasm')
/** Of wasi-libc, for ENOTCAPABLE. */
const NOT_GRANTED = 'Capabilities insufficient'

describe('A module with a C library in it', () => {
  let folder: string
  let guest: WasiGuest

  before(async () => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-wasi-')))
    for (const name of ['given', 'out']) fs.mkdirSync(path.join(folder, name))
    fs.writeFileSync(path.join(folder, 'given/a.txt'), 'hello')
    fs.writeFileSync(path.join(folder, 'secret.txt'), 'not yours')
    fs.symlinkSync('../secret.txt', path.join(folder, 'given/link.txt'))
    execFileSync('mkfifo', [path.join(folder, 'given/fifo')])
    guest = new WasiGuest({
      env: { GREETING: 'hi' },
      grants: [
        { path: path.join(folder, 'given'), write: false },
        { path: path.join(folder, 'out'), write: true },
      ],
      workspace: folder,
      sleep: (durationMs) => new Promise((resolve) => void setTimeout(resolve, durationMs)),
    })
    const module = new WebAssembly.Module(fs.readFileSync(MODULE))
    const { exports } = new WebAssembly.Instance(module, guest.wasi.imports)
    guest.wasi.bind(exports['memory'] as WebAssembly.Memory)
    ;(exports['_initialize'] as () => void)()
    await WebAssembly.promising(exports['run'])()
  })
  after(() => {
    guest.close()
    fs.rmSync(folder, { recursive: true })
  })

  const lines = (): string[] => guest.lines.map((line) => line.replace(/^stdout /, ''))

  it('finds files by relative paths in the workspace, and what was not granted nowhere', () => {
    expect(lines().slice(0, 8)).to.deep.equal([
      'given/a.txt: hello',
      './given/../given/a.txt: hello',
      `secret.txt: ${NOT_GRANTED}`,
      `given/link.txt: ${NOT_GRANTED}`,
      `given/../secret.txt: ${NOT_GRANTED}`,
      `/etc/passwd: ${NOT_GRANTED}`,
      'given/none: No such file or directory',
      'given/fifo: Permission denied',
    ])
    const secret = `FileSystemRead ${path.join(folder, 'secret.txt')}`
    expect(guest.denied).to.deep.equal([
      secret,
      secret,
      secret,
      'FileSystemRead /etc/passwd',
      'FileSystemRead /',
      `FileSystem ${path.join(folder, 'out/link')}`,
    ])
  })

  it('lists a folder, and not the root', () => {
    const entries = lines().filter((line) => line.startsWith('entry'))
    expect(entries.toSorted()).to.deep.equal(['entry a.txt 4', 'entry fifo 0', 'entry link.txt 7'])
    expect(lines()).to.not.include('entry etc 3')
  })

  it('makes, changes, moves and removes what it may', () => {
    const start = lines().indexOf('mkdir: done')
    expect(lines().slice(start, start + 13)).to.deep.equal([
      'mkdir: done',
      'fclose: done',
      'read back 42',
      'stat: done',
      'size 14, file 1',
      'rename: done',
      'truncate: done',
      'out/folder/y.txt: hel',
      'rmdir: Directory not empty',
      'unlink: done',
      'rmdir: done',
      'open: done',
      'open again: File exists',
    ])
    expect(fs.readdirSync(path.join(folder, 'out'))).to.deep.equal(['exclusive'])
  })

  it('makes no link, goes elsewhere, sees its variables, and sleeps', () => {
    expect(lines().slice(-6)).to.deep.equal([
      `symlink: ${NOT_GRANTED}`,
      'chdir: done',
      'a.txt: hello',
      'GREETING hi, HOME none',
      'nanosleep: done',
      'time 1',
    ])
  })
})
