import os from 'node:os'
import { expect } from 'chai'
import { decideInstall, type Machine } from '../../../src/cli/bubblewrap.ts'
import { CommandLine } from '../../helpers/command-line.ts'

const debian: Machine = { platform: 'linux', isRoot: false, programs: new Set(['apt-get']), canSudo: false }

describe('decideInstall()', () => {
  it('installs by apt-get as root', () => {
    const plan = decideInstall({ ...debian, isRoot: true })
    expect(plan).to.deep.equal({
      kind: 'apt',
      prefix: ['env', 'DEBIAN_FRONTEND=noninteractive'],
      command: 'apt-get install bubblewrap',
    })
  })

  it('installs through sudo where that asks for no password', () => {
    const plan = decideInstall({ ...debian, canSudo: true })
    expect(plan).to.deep.include({
      kind: 'apt',
      prefix: ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive'],
    })
  })

  it('names the command where a password is needed', () => {
    expect(decideInstall(debian)).to.deep.equal({
      kind: 'manual',
      command: 'sudo apt-get install bubblewrap',
    })
  })

  it("names another distribution's command and does not run it", () => {
    const fedora = { ...debian, isRoot: true, programs: new Set(['dnf']) }
    expect(decideInstall(fedora)).to.deep.equal({ kind: 'manual', command: 'dnf install bubblewrap' })
  })

  it('knows no command where there is no package manager, or no Linux', () => {
    const none = { kind: 'manual', command: null }
    expect(decideInstall({ ...debian, programs: new Set() })).to.deep.equal(none)
    expect(decideInstall({ ...debian, isRoot: true, platform: 'darwin' })).to.deep.equal(none)
  })
})

describe('phantom setup, with another bubblewrap in PHANTOM_BWRAP', function () {
  this.timeout(30_000)
  const CASES: readonly (readonly [string, string])[] = [
    ['', 'PHANTOM_BWRAP is empty: none'],
    ['/nonexistent/bwrap', 'PHANTOM_BWRAP names /nonexistent/bwrap, which is no program'],
  ]
  for (const [named, found] of CASES) {
    it(`promises what the daemon will find: "${named}"`, async () => {
      const phantom = new CommandLine(os.tmpdir(), { PHANTOM_BWRAP: named })
      const { tier, steps } = await phantom.json<{ tier: string; steps: object[] }>(['setup'])
      expect(tier).to.equal('process')
      expect(steps[1]).to.deep.equal({ name: 'bubblewrap', ok: false, found, remedy: 'unset PHANTOM_BWRAP' })
      expect(steps[2]).to.include({ name: 'isolation', ok: false })
    })
  }

  it('tries that one, and not the one on PATH', async () => {
    const phantom = new CommandLine(os.tmpdir(), { PHANTOM_BWRAP: '/bin/false' })
    const { tier, steps } = await phantom.json<{ tier: string; steps: object[] }>(['setup'])
    expect(tier).to.equal('process')
    expect(steps[1]).to.include({ ok: true, found: 'PHANTOM_BWRAP names /bin/false' })
  })
})
