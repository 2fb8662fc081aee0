import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { PACKAGE_VERSION } from '../../../src/contract/version.ts'
import { skipBecause } from '../../helpers/skip.ts'

const LAUNCHER = path.resolve(import.meta.dirname, '../../../src/cli/launcher.ts')

describe('phantom, where it needs no daemon', () => {
  let folder = ''
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-cli-'))
    fs.mkdirSync(path.join(folder, 'plugins'))
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  function phantom(args: string[], environment: NodeJS.ProcessEnv = {}) {
    const env = { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], ...environment }
    const options = { cwd: folder, env, encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...args], options)
    return { status, stdout, stderr }
  }

  it('prints its version', () => {
    expect(phantom(['--version'])).to.deep.equal({ status: 0, stdout: `${PACKAGE_VERSION}\n`, stderr: '' })
  })

  it('prints help with examples and exit codes on stdout', () => {
    const { status, stdout } = phantom(['--help'])
    expect(status).to.equal(0)
    expect(stdout).to.include('Exit codes:').and.include('phantom run data_processor process_pipeline')
    expect(phantom(['help', 'run']).stdout)
      .to.include('Examples:')
      .and.include('--workspace <dir>')
  })

  it('prints its help on stderr and exits with 2 when nothing is asked', () => {
    const { status, stdout, stderr } = phantom([])
    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: '' })
    expect(stderr).to.include('Usage: phantom')
  })

  it('names the command and the option that was meant', () => {
    const command = phantom(['lst'])
    const option = phantom(['list', '--jsn'])
    expect(command.stderr).to.include(`unknown command 'lst'. Did you mean list?`)
    expect(option.stderr).to.include(`unknown option '--jsn'. Did you mean --json?`)
    expect([command.status, option.status]).to.deep.equal([2, 2])
  })

  it('reports wrong usage as one JSON line where JSON was asked for, and nothing on stdout', () => {
    const { status, stdout, stderr } = phantom(['run', 'x', 'y', '--timeout', '0', '--json'])
    expect({ status, stdout }).to.deep.equal({ status: 2, stdout: '' })
    expect(JSON.parse(stderr)).to.have.nested.property('error.code', 'PARAMS_INVALID')
  })

  it('reads the input before it starts anything: 2 for what is no JSON, 3 for a file that is not there', () => {
    const broken = phantom(['run', 'x', 'y', '--input', '{"a":}'])
    expect(broken.status).to.equal(2)
    expect(broken.stderr.split('\n').slice(-3)).to.deep.equal(['  {"a":}', '       ^', ''])
    expect(phantom(['run', 'x', 'y', '--input', '@nowhere.json']).status).to.equal(3)
  })

  it('says with exit code 7 that no daemon runs', () => {
    const { status, stdout, stderr } = phantom(['status'])
    expect({ status, stdout }).to.deep.equal({ status: 7, stdout: '' })
    expect(stderr).to.include('none runs').and.include('phantom serve --plugins ./plugins')
    const json = phantom(['status', '--json'])
    expect(json.status).to.equal(7)
    expect(JSON.parse(json.stderr)).to.have.nested.property('error.code', 'DAEMON_UNREACHABLE')
  })

  it('makes a finding of a runtime that cannot be used', () => {
    const { status, stdout } = phantom(['doctor', '--json'], { PHANTOM_RUNTIME: '/nowhere/node' })
    expect(status).to.equal(1)
    const { checks } = JSON.parse(stdout) as { checks: { name: string; ok: boolean; remedy: string }[] }
    expect(checks).to.have.length(1)
    expect(checks[0]).to.include({ name: 'runtime', ok: false })
    expect(checks[0]?.remedy).to.include('PHANTOM_RUNTIME')
  })

  it('says with exit code 3 that a path to validate is not there', () => {
    const { status, stderr } = phantom(['validate', 'plugins/nowhere'])
    expect(status).to.equal(3)
    expect(stderr).to.include('"plugins/nowhere"')
  })

  it('sends no colour when it is told not to, and does when it is forced to', () => {
    const forced = phantom(['lst'], { FORCE_COLOR: '1' }).stderr
    const refused = phantom(['lst', '--no-color'], { FORCE_COLOR: '1' }).stderr
    expect(forced).to.include('\u001b[')
    expect(refused).to.not.include('\u001b[')
  })

  it('plans a setup without doing it, and goes on where bubblewrap cannot be had', () => {
    const { status, stdout } = phantom(['setup', '--dry-run', '--json'], { PATH: folder })
    expect(status).to.equal(0)
    const report = JSON.parse(stdout) as { tier: string; steps: { name: string; ok: boolean }[] }
    expect(report.tier).to.equal('process')
    expect(report.steps.map(({ name, ok }) => [name, ok])).to.deep.equal([
      ['runtime', true],
      ['bubblewrap', false],
      ['isolation', false],
    ])
  })

  it('sets up twice with the same words', function () {
    if (spawnSync('bwrap', ['--version']).status !== 0) {
      skipBecause.call(this, 'bubblewrap is not there, and a test installs nothing')
    }
    const first = phantom(['setup'])
    expect(first).to.deep.equal(phantom(['setup']))
    expect(first.stdout).to.include('✓ bubblewrap: there already')
  })
})
