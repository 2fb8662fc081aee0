import { expect } from 'chai'
import { found, HEAD, parse } from '../../../helpers/parsed-manifest.ts'

/** Keys whose value is an integer: the least and the greatest that are taken. */
const RANGES: [section: string, key: string, min: number, max: number][] = [
  ['runtime', 'idle_timeout_ms', 0, 86_400_000],
  ['runtime', 'standby', 0, 1],
  ['runtime', 'max_queued_calls', 1, 10_000],
  ['restart', 'intensity', 0, 1000],
  ['restart', 'period_ms', 1, 86_400_000],
  ['restart', 'shutdown_ms', 0, 600_000],
  ['resource_limits', 'max_calls_per_second', 1, 1_000_000],
]

const CHOICES: [section: string, key: string, words: string[]][] = [
  ['runtime', 'activation', ['on_call', 'eager']],
  ['restart', 'policy', ['permanent', 'transient', 'temporary']],
]

describe('parseManifest() on supervision, queue and reload', () => {
  const withKey = (section: string, line: string): string => `${HEAD}[${section}]\n${line}\n`

  for (const [section, key, min, max] of RANGES) {
    it(`takes ${section}.${key} from ${min} to ${max}, and names the range beyond it`, () => {
      for (const value of [min, max]) expect(found(withKey(section, `${key} = ${value}`))).to.deep.equal([])
      for (const value of [min - 1, max + 1]) {
        expect(found(withKey(section, `${key} = ${value}`))).to.deep.equal([
          `8:1 ${section}.${key}: Cannot use "${section}.${key}": found the integer ${value}, ` +
            `expected an integer between ${min} and ${max}. Write a number in that range`,
        ])
      }
      for (const value of ['1.5', '"1"', 'true', 'inf']) {
        const [issue = '', ...more] = found(withKey(section, `${key} = ${value}`))
        expect(more).to.deep.equal([])
        expect(issue, value).to.include('expected an integer')
      }
    })
  }

  for (const [section, key, words] of CHOICES) {
    it(`takes ${section}.${key} as one of ${words.join(', ')}`, () => {
      for (const word of words) expect(found(withKey(section, `${key} = "${word}"`))).to.deep.equal([])
      for (const value of ['"always"', '"EAGER"', '""', 'true', '1']) {
        const [issue = '', ...more] = found(withKey(section, `${key} = ${value}`))
        expect(more).to.deep.equal([])
        expect(issue, value).to.match(new RegExp(`^8:1 ${section}\\.${key}: .*"${words[0]}"`))
      }
    })
  }

  it('takes runtime.exclusive as true or false', () => {
    expect(parse(withKey('runtime', 'exclusive = true')).manifest?.runtime.exclusive).to.equal(true)
    expect(parse(withKey('runtime', 'exclusive = false')).manifest?.runtime.exclusive).to.equal(false)
    expect(found(withKey('runtime', 'exclusive = 1'))[0]).to.match(/expected true or false/)
  })

  it('tells a silent idle_timeout_ms from 0', () => {
    const timeout = (line: string) => parse(withKey('runtime', line)).manifest?.runtime.idleTimeoutMs
    expect([timeout(''), timeout('idle_timeout_ms = 0')]).to.deep.equal([null, 0])
  })

  it('sends a key that stands in another section to its own', () => {
    expect(found(withKey('restart', 'standby = 1'))[0]).to.include('Move it to [runtime]')
    expect(found(withKey('runtime', 'max_calls_per_second = 1'))[0]).to.include(
      'Move it to [resource_limits]',
    )
    expect(found(withKey('runtime', 'intensity = 1'))[0]).to.include('Move it to [restart]')
    expect(found(withKey('runtime', 'idle_timeout = 1'))[0]).to.include('Did you mean "idle_timeout_ms"?')
  })
})
