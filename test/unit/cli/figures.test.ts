import { expect } from 'chai'
import { formatAge, formatBytes, formatDuration, formatShare } from '../../../src/cli/figures.ts'

describe('formatBytes()', () => {
  it('picks the unit that reads best', () => {
    const shown = [0, 1023, 1024, 1.5 * 1024 ** 2, 3 * 1024 ** 3].map((bytes) => formatBytes(bytes))
    expect(shown).to.deep.equal(['0 B', '1023 B', '1.0 KiB', '1.5 MiB', '3.0 GiB'])
  })
})

describe('formatDuration()', () => {
  it('picks the units that read best', () => {
    const shown = [0, 0.42, 9, 12.6, 999, 1_500, 61_000, 3_600_000, 90_000_000].map((ms) =>
      formatDuration(ms),
    )
    expect(shown).to.deep.equal([
      '0 ms',
      '0.4 ms',
      '9 ms',
      '13 ms',
      '999 ms',
      '1.5 s',
      '1 min 1 s',
      '1 h 0 min',
      '1 d 1 h',
    ])
  })
})

describe('formatAge()', () => {
  it('says in one unit how long ago it was', () => {
    const nowMs = Date.parse('2026-01-10T12:00:00.000Z')
    const shown = [
      '2026-01-10T11:59:59.500Z',
      '2026-01-10T11:59:57.000Z',
      '2026-01-10T11:01:00.000Z',
      '2026-01-10T10:00:00.000Z',
      '2026-01-01T12:00:00.000Z',
    ].map((at) => formatAge(at, nowMs))
    expect(shown).to.deep.equal(['now', '3 s ago', '59 min ago', '2 h ago', '9 d ago'])
  })

  it('does not speak of the future when clocks differ, nor of a time that is none', () => {
    expect(formatAge('2026-01-10T12:00:09.000Z', Date.parse('2026-01-10T12:00:00.000Z'))).to.equal('now')
    expect(formatAge('yesterday', 0)).to.equal('-')
  })
})

describe('formatShare()', () => {
  it('never rounds a few failures away', () => {
    const shown = [null, 0, 0.0001, 0.29, 0.983, 0.9999, 1].map((share) => formatShare(share))
    expect(shown).to.deep.equal(['-', '0 %', '< 0.1 %', '29 %', '98.3 %', '99.9 %', '100 %'])
  })
})
