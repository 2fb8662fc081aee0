import { expect } from 'chai'
import * as fc from 'fast-check'

import { canonicalHost } from '../../../../host/egress/canonical-host.ts'
import { parseHostRules, ruleFor, type Target } from '../../../../host/egress/host-rules.ts'
import { readAuthority } from '../../../../host/egress/read-authority.ts'
import { FUZZ_RUNS, hostSpelling } from './host-spellings.ts'

function isGranted(rules: readonly string[], authority: string): boolean {
  const target = readAuthority(authority, null)
  return !('refused' in target) && ruleFor(parseHostRules(rules), target) !== null
}

describe('ruleFor()', () => {
  const table: readonly (readonly [rule: string, granted: readonly string[], not: readonly string[]])[] = [
    [
      'api.example.org',
      ['api.example.org:443', 'api.example.org:80', 'API.EXAMPLE.ORG.:443'],
      [
        'api.example.org:8080',
        'api.example.org:22',
        'example.org:443',
        'x.api.example.org:443',
        'api.example.org',
      ],
    ],
    ['api.example.org:8080', ['api.example.org:8080'], ['api.example.org:443', 'api.example.org:80']],
    [
      '*.ok.test',
      ['a.ok.test:443', 'a.b.ok.test:80', 'A.OK.TEST.:80'],
      [
        'ok.test:443',
        'evilok.test:443',
        'a.ok.test.evil.test:443',
        'ok.test.evil.test:80',
        '*.ok.test:80',
        '.ok.test:80',
      ],
    ],
    ['*.ok.test:8443', ['a.ok.test:8443'], ['a.ok.test:443']],
    [
      '*',
      ['anything.test:80', '93.184.215.14:443', '[2606:4700::1]:443'],
      ['anything.test:22', 'anything.test:8080'],
    ],
    ['*:8080', ['anything.test:8080'], ['anything.test:80']],
    [
      '127.0.0.1:9',
      ['127.0.0.1:9', '[::ffff:127.0.0.1]:9'],
      ['127.1:9', '0x7f.1:9', '2130706433:9', '127.0.0.1:80'],
    ],
    ['[::1]:9', ['[::1]:9', '[0:0:0:0:0:0:0:1]:9'], ['[::2]:9']],
    ['*.0.0.1', [], ['127.0.0.1:80']],
    ['exämple.org', ['xn--exmple-cua.org:443'], ['exämple.org:443', 'example.org:443']],
  ]
  for (const [rule, granted, not] of table) {
    it(`reads "${rule}"`, () => {
      for (const authority of granted) expect(isGranted([rule], authority), authority).to.equal(true)
      for (const authority of not) expect(isGranted([rule], authority), authority).to.equal(false)
    })
  }

  it('grants nothing where there is no rule, or none that can be read', () => {
    expect(isGranted([], 'a.test:80')).to.equal(false)
    for (const rule of [
      '',
      '*.',
      '**',
      '*.*.test',
      'a.*.test',
      'a.test:0',
      'a.test:65536',
      'a.test:',
      ':80',
      '*.[::1]',
      'a@b',
    ])
      expect(parseHostRules([rule]), rule).to.deep.equal([])
  })

  it('agrees with a slow reading of the same rules, whatever a host looks like', function () {
    this.timeout(60_000)
    const rules = ['api.ok.test', '*.ok.test:8443', '*.x.test', '127.0.0.1:80', '[::1]:80', 'evil:80']
    const parsed = parseHostRules(rules)
    let grantedCount = 0
    fc.assert(
      fc.property(hostSpelling, fc.constantFrom(80, 443, 8443, 22), (written, port) => {
        const host = canonicalHost(written)
        if ('refused' in host) return
        const granted = ruleFor(parsed, { host, port }) !== null
        if (granted) grantedCount += 1
        const slowly = rules.some((rule) => slowlyGrants(rule, { host, port }))
        if (granted !== slowly) throw new Error(`${host.text}:${port} ${granted} ${slowly}`)
      }),
      { numRuns: FUZZ_RUNS },
    )
    expect(grantedCount, 'hosts that a rule grants').to.be.greaterThan(50)
  })
})

/** Label by label, from the right, over what URL makes of both. */
function slowlyGrants(rule: string, { host, port }: Target): boolean {
  const [, name = '', rulePort] = /^(\[.*\]|[^:]*)(?::(.*))?$/.exec(rule)!
  if (!(rulePort === undefined ? [80, 443] : [Number(rulePort)]).includes(port)) return false
  const wanted = labelsOf(name.replace(/^\*\./, ''))
  const found = labelsOf(host.kind === 'ipv6' ? `[${host.text}]` : host.text)
  if (host.kind !== 'name') return !name.startsWith('*') && wanted.join('.') === found.join('.')
  if (name.startsWith('*') ? found.length <= wanted.length : found.length !== wanted.length) return false
  return wanted.toReversed().every((label, at) => found.at(-1 - at) === label)
}

function labelsOf(name: string): string[] {
  return new URL(`http://${name}/`).hostname.split('.')
}
