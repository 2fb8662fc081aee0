import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { WASI_FUNCTIONS } from '../../../../src/contract/wasm/abi.ts'
import { GuestExit } from '../../../../sandbox-runner/wasm/wasi/process-functions.ts'
import { fuzz } from '../../../helpers/fuzz.ts'
import { WasiGuest } from '../../../helpers/wasi-guest.ts'

const END = 2 * 65_536
const OUTSIDE = 0xffff_fff0

describe('addresses and lengths that a module hands to WASI', () => {
  let folder: string
  let guest: WasiGuest

  beforeEach(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-wasi-')))
    fs.writeFileSync(path.join(folder, 'a.txt'), 'abcdef')
    guest = new WasiGuest({
      env: { ONE: '1' },
      args: ['plugin'],
      grants: [{ path: folder, write: true }],
      workspace: folder,
    })
  })
  afterEach(() => {
    guest.close()
    fs.rmSync(folder, { recursive: true })
  })

  it('are refused with EFAULT where they lead out of its memory, and nothing is touched', () => {
    const { fd } = guest.open('a.txt', { write: true })
    const [text, length] = guest.text('a.txt')
    for (const outside of [OUTSIDE, END - 3, -1, END]) {
      expect(guest.call('args_sizes_get', outside, 0), `${outside}`).to.equal('fault')
      expect(guest.call('args_get', 0, END - 3)).to.equal('fault')
      expect(guest.call('environ_get', outside, 0)).to.equal('fault')
      expect(guest.call('clock_time_get', 0, 0n, outside)).to.equal('fault')
      expect(guest.call('random_get', outside, 8)).to.equal('fault')
      expect(guest.call('random_get', 8, outside)).to.equal('fault')
      expect(guest.call('fd_write', 1, outside, 1, 0)).to.equal('fault')
      expect(guest.call('fd_write', fd, outside, 1, 0)).to.equal('fault')
      expect(guest.call('fd_read', fd, 16, 1, outside)).to.equal('fault')
      expect(guest.call('fd_filestat_get', fd, outside)).to.equal('fault')
      expect(guest.call('fd_fdstat_get', fd, outside)).to.equal('fault')
      expect(guest.call('fd_prestat_get', 3, outside)).to.equal('fault')
      expect(guest.call('fd_prestat_dir_name', 3, END, 10)).to.equal('fault')
      expect(guest.call('path_filestat_get', 3, 1, text, length, outside)).to.equal('fault')
      expect(guest.call('path_open', 3, 1, text, length, 1, 64n, 0n, 0, outside)).to.equal('fault')
      expect(guest.call('path_create_directory', 3, outside, 4)).to.equal('fault')
    }
    expect(fs.readFileSync(path.join(folder, 'a.txt'), 'utf8')).to.equal('abcdef')
    expect(fs.readdirSync(folder)).to.deep.equal(['a.txt'])
  })

  it('are bounded in number and length', () => {
    expect(guest.call('fd_write', 1, 0, 1025, 0)).to.equal('inval')
    expect(guest.call('fd_write', 1, 0, 0xffff_ffff, 0)).to.equal('inval')
    expect(guest.at('path_create_directory', 'x'.repeat(4097))).to.equal('nametoolong')
    expect(guest.at('path_create_directory', 'x'.repeat(300))).to.equal('nametoolong')
    expect(guest.content(`${'a/'.repeat(300)}b`)).to.equal('nametoolong')
    expect(guest.call('path_create_directory', 3, ...guest.text(Uint8Array.of(0x61, 0xff)))).to.equal('ilseq')
    expect(guest.at('path_create_directory', '')).to.equal('noent')
  })

  it('may overlap, and a vector that lies outside refuses the whole', () => {
    const view = guest.view()
    for (const [at, address, length] of [
      [0, 64, 8],
      [8, 64, 8],
      [16, END - 4, 8],
    ] as const) {
      view.setUint32(at, address, true)
      view.setUint32(at + 4, length, true)
    }
    const { fd } = guest.open('a.txt', { write: true })
    expect(guest.call('fd_write', fd, 0, 3, 128)).to.equal('fault')
    expect(fs.readFileSync(path.join(folder, 'a.txt'), 'utf8')).to.equal('abcdef')
    expect(guest.call('fd_read', fd, 0, 2, 128)).to.equal('success')
    expect(guest.view().getUint32(128, true)).to.equal(6)
  })

  it('are looked at in the memory as it is after it grew', () => {
    expect(guest.call('random_get', END, 4)).to.equal('fault')
    guest.memory.grow(1)
    expect(guest.call('random_get', END, 4)).to.equal('success')
    expect(guest.call('args_sizes_get', END, END + 4)).to.equal('success')
    expect(guest.view().getUint32(END, true)).to.equal(1)
  })

  it('are refused as long as there is no memory', () => {
    const unbound = new WasiGuest()
    unbound.wasi.bind({ buffer: new ArrayBuffer(0) })
    expect(unbound.call('clock_time_get', 0, 0n, 0)).to.equal('fault')
    expect(unbound.call('fd_write', 1, 0, 1, 0)).to.equal('fault')
    unbound.close()
  })

  it('bring nothing but numbers of errors out of any function, whatever they are', function () {
    this.timeout(60_000)
    const names = Object.keys(WASI_FUNCTIONS)
    const number = fc.oneof(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 16, 64, 1024, END - 1, END, OUTSIDE, -1),
      fc.integer(),
    )
    const big = fc.oneof(
      fc.constantFrom(0n, 1n, 64n, -1n, 2n ** 63n - 1n),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    )
    const args = fc.tuple(...Array.from({ length: 9 }, () => number))
    const bigs = fc.tuple(...Array.from({ length: 3 }, () => big))
    guest.text('a.txt', 64)
    fuzz(
      fc.property(fc.constantFrom(...names), args, bigs, (name, numbers, longs) => {
        const [parameters = ''] = (WASI_FUNCTIONS[name] ?? '').split('>')
        const given = Array.from(parameters, (letter, at) => (letter === 'I' ? longs[at % 3]! : numbers[at]!))
        // What would wait is tried elsewhere.
        if (name === 'poll_oneoff') return
        try {
          expect(guest.call(name, ...given), `${name}(${given.join(', ')})`).to.not.match(/^unknown/)
        } catch (error) {
          expect(name === 'proc_exit' && error instanceof GuestExit, String(error)).to.equal(true)
        }
      }),
    )
  })
})
