import { expect } from 'chai'
import { formatBytes, formatDuration } from '../../../src/cli/figures.ts'

describe('formatBytes()', () => {
  it('picks the unit that reads best', () => {
    const shown = [0, 1023, 1024, 1.5 * 1024 ** 2, 3 * 1024 ** 3].map((bytes) => formatBytes(bytes))
    expect(shown).to.deep.equal(['0 B', '1023 B', '1.0 KiB', '1.5 MiB', '3.0 GiB'])
  })
})

describe('formatDuration()', () => {
  it('picks the units that read best', () => {
    const shown = [0.4, 999, 1_500, 61_000, 3_600_000, 90_000_000].map((ms) => formatDuration(ms))
    expect(shown).to.deep.equal(['0 ms', '999 ms', '1.5 s', '1 min 1 s', '1 h 0 min', '1 d 1 h'])
  })
})
