import { expect } from 'chai'
import { decideInstall, type Machine } from '../../../src/cli/bubblewrap.ts'

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
