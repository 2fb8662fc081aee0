import { expect } from 'chai'
import { WASI_FUNCTIONS } from '../../src/contract/wasm/abi.ts'
import { columnsOf } from '../helpers/docs-pages.ts'
import { WasiGuest } from '../helpers/wasi-guest.ts'

describe('docs/wasi.md', () => {
  const rows = columnsOf('docs/wasi.md', 'wasi-functions').map(([names = '', answer = '']) => ({
    names: [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    answer,
  }))

  it('has every function of preview 1, once, and each is served', () => {
    const functions = Object.keys(WASI_FUNCTIONS)
    expect(rows.flatMap(({ names }) => names).toSorted()).to.deep.equal(functions.toSorted())
    const guest = new WasiGuest()
    expect(Object.keys(guest.wasi.imports['wasi_snapshot_preview1'] ?? {})).to.have.members(functions)
    guest.close()
  })

  it('calls unsupported what is, whatever it is asked', () => {
    const guest = new WasiGuest()
    const unsupported = rows
      .filter(({ answer }) => answer.startsWith('`ENOTSUP`. '))
      .flatMap(({ names }) => names)
    expect(unsupported).to.have.length(8)
    for (const name of unsupported) {
      const args = Array.from((WASI_FUNCTIONS[name] ?? '').split('>')[0] ?? '', (letter) =>
        letter === 'I' ? 0n : 0,
      )
      expect(guest.call(name, ...args), name).to.equal('notsup')
    }
    guest.close()
  })
})
