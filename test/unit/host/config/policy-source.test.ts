import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { PolicySource } from '../../../../host/config/policy/policy-source.ts'
import { readPolicy } from '../../../../host/config/policy/read-policy.ts'
import { applyAdminRules } from '../../../../host/approvals/admin-rules.ts'
import { parseRights, rightText } from '../../../../host/approvals/right.ts'
import { isPhantomError } from '../../../../src/contract/phantom-error.ts'
import { until } from '../../../helpers/daemon.ts'

const POLL_MS = 20

describe('config/policy.yaml', () => {
  let folder: string
  const opened: PolicySource[] = []

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-policy-file-'))
  })
  afterEach(() => {
    for (const source of opened.splice(0)) source.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  const file = (): string => path.join(folder, 'policy.yaml')
  function write(text: string): void {
    fs.writeFileSync(file(), text)
  }
  function problems(text: string): string[] {
    write(text)
    try {
      readPolicy(file())
    } catch (error) {
      if (!isPhantomError(error)) throw error
      expect(error.code).to.equal('CONFIG_INVALID')
      return (error.details['problems'] as string[]).map((line) => line.replace(`${file()}:`, ''))
    }
    throw new Error('it was accepted')
  }
  function open(): { source: PolicySource; errors: unknown[]; changes: () => number } {
    const errors: unknown[] = []
    let changes = 0
    const source = new PolicySource({
      configDirectory: folder,
      reload: () => ({ watch: true, debounceMs: 5 }),
      onError: (error) => errors.push(error),
      onChange: () => (changes += 1),
      pollIntervalMs: POLL_MS,
    })
    opened.push(source)
    return { source, errors, changes: () => changes }
  }
  function left(source: PolicySource, plugin: { id: string; author: string | null }, text: string): string[] {
    const rights = parseRights(text)
    if ('error' in rights) throw new Error(rights.error)
    return rights.flatMap((right) => applyAdminRules(right, source.rulesFor(plugin)).left).map(rightText)
  }

  it('narrows and refuses everywhere, by publisher and by plugin, and never gives', () => {
    write(`
everywhere:
  refuse: [process, 'network:*.internal.example.org', 'fs_write:/srv']
publishers:
  Jane Doe:
    only: { network: ['api.example.org', '*.example.com:8443'] }
plugins:
  weather:
    only:
      fs_read: [./data]
      env: []
  gone: { block: true }
`)
    const { source } = open()
    const jane = { id: 'a', author: 'Jane Doe' }
    const weather = { id: 'weather', author: null }
    expect(left(source, jane, 'process')).to.deep.equal([])
    expect(left(source, weather, 'fs_write:/srv/app')).to.deep.equal([])
    expect(left(source, jane, 'fs_read:/srv/app')).to.deep.equal(['fs_read:/srv/app'])
    expect(left(source, jane, 'network:api.example.org,other.example.org')).to.deep.equal([
      'network:api.example.org',
    ])
    expect(left(source, jane, 'network:x.example.com:8443,x.example.com')).to.deep.equal([
      'network:x.example.com:8443',
    ])
    expect(left(source, { id: 'b', author: 'Jane' }, 'network:other.example.org')).to.have.lengthOf(1)
    expect(left(source, weather, 'network:db.internal.example.org:5432')).to.deep.equal([])
    expect(left(source, weather, 'fs_read:.')).to.deep.equal(['fs_read:${workspace}/data'])
    expect(left(source, weather, 'fs_write:.'), 'who writes reads').to.deep.equal([
      'fs_write:${workspace}/data',
    ])
    expect(left(source, weather, 'env:LANG')).to.deep.equal([])
    expect(source.rulesFor({ id: 'gone', author: null }).map(({ blockedAt }) => blockedAt)).to.deep.equal([
      null,
      'policy.yaml:12:18',
    ])
  })

  it('takes a refused host at its widest: without a port it is every port', () => {
    write('everywhere: { refuse: ["network:bad.example.org", "network:ugly.example.org:8080"] }')
    const { source } = open()
    const plugin = { id: 'a', author: null }
    expect(left(source, plugin, 'network:bad.example.org:9999')).to.deep.equal([])
    expect(left(source, plugin, 'network:*')).to.deep.equal([])
    expect(left(source, plugin, 'network:ugly.example.org')).to.have.lengthOf(1)
    expect(left(source, plugin, 'network:*.example.org:8080')).to.deep.equal([])
  })

  it('says of every mistake where it stands, what was found and what is near', () => {
    expect(problems('everywere: {}')[0]).to.match(
      /^1:1: "everywere" is no key of the policy\. Did you mean "everywhere"\?/,
    )
    expect(problems('everywhere:\n  refuze: []\n')[0]).to.match(
      /^2:3: "refuze" is no key of "everywhere"\. Did you mean "refuse"\?/,
    )
    expect(problems('everywhere:\n  only: { fs_raed: [] }')[0]).to.match(
      /^2:11: "fs_raed".*Did you mean "fs_read"\?/,
    )
    expect(problems('plugins:\n  a:\n    refuse: process')[0]).to.match(
      /^3:13: "plugins\.a\.refuse" is "process", expected a list/,
    )
    expect(problems('plugins:\n  a:\n    refuse: [proces]')[0]).to.match(
      /^3:14: Cannot use "proces": .*Did you mean "process"\?/,
    )
    expect(problems('plugins:\n  a:\n    only: { fs_read: ["../x"] }')[0]).to.match(/^3:23: .*"\.\." segment/)
    expect(problems('plugins:\n  a: { block: yes }')[0]).to.match(
      /^2:15: "plugins\.a\.block" is "yes", expected true or false/,
    )
    expect(problems('everywhere:\n')[0]).to.match(/"everywhere" is null, expected a map of keys/)
    expect(problems('plugins: { a: { refuse: [] }, a: {} }')[0]).to.match(/^1:31: "a" stands here twice/)
    expect(problems('[1]')[0]).to.match(/The file is a list/)
    expect(problems('a: [')[0]).to.be.a('string')
    expect(problems('everywhere: { refuse: [7], only: { env: [LANG, 8] } }')).to.have.lengthOf(2)
  })

  it('lets nothing run at the start where it is broken, until it is mended', async () => {
    write('everywhere: { refuze: [] }')
    const { source, changes } = open()
    expect(source.fault).to.include('nothing runs but built-in plugins').and.include('policy.yaml:1:15')
    source.follow()
    write('everywhere: { refuse: [process] }')
    await until(() => changes() === 1, 'the mended policy')
    expect(source.fault).to.equal(null)
    expect(left(source, { id: 'a', author: null }, 'process')).to.deep.equal([])
  })

  it('keeps the last good one when it breaks or goes while the daemon runs', async () => {
    write('everywhere: { refuse: [process] }')
    const { source, errors, changes } = open()
    source.follow()
    write('everywhere: { refuse: [proces] }')
    await until(() => errors.length > 0, 'the broken policy to be told')
    expect(source.fault).to.equal(null)
    expect(left(source, { id: 'a', author: null }, 'process')).to.deep.equal([])
    errors.length = 0
    fs.rmSync(file())
    await until(() => errors.length > 0, 'the policy that is gone to be told')
    expect(String(errors[0])).to.include('it is gone').and.include('an empty file')
    expect(left(source, { id: 'a', author: null }, 'process')).to.deep.equal([])
    write('')
    await until(() => changes() === 1, 'the empty policy')
    expect(left(source, { id: 'a', author: null }, 'process')).to.deep.equal(['process'])
  })

  it('takes nothing away where there is none', () => {
    const { source } = open()
    expect(source.fault).to.equal(null)
    expect(source.rulesFor({ id: 'a', author: 'b' })).to.deep.equal([])
  })
})
