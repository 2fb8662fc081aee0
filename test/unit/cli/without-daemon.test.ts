import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { PACKAGE_VERSION } from '../../../src/contract/version.ts'

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

  it('starts no daemon for what only the one that runs can do', () => {
    const commands = [
      'health',
      'metrics',
      'reload x',
      'rollback x',
      'load x',
      'unload x',
      'reset x',
      'config reload',
    ]
    const codes = commands.map((command) => [command, phantom(command.split(' ')).status])
    expect(codes).to.deep.equal(commands.map((command) => [command, 7]))
  })

  it('reads changes of a configuration before it starts anything', () => {
    const nothing = phantom(['config', 'set', 'x'])
    const misspelt = phantom(['config', 'gt'])
    expect([nothing.status, misspelt.status]).to.deep.equal([2, 2])
    expect(nothing.stderr).to.include('no key is named')
    expect(misspelt.stderr).to.include('Did you mean get?')
    expect(phantom(['config', 'validate', 'x', 'nowhere.yaml']).status).to.equal(3)
  })

  it('prints a sample configuration that is YAML, and the same as JSON', () => {
    const yaml = phantom(['config', 'sample', 'not_there'])
    const json = phantom(['config', 'sample', 'not_there', '--json'])
    expect([yaml.status, json.status]).to.deep.equal([0, 0])
    expect(parse(yaml.stdout)).to.deep.equal(JSON.parse(json.stdout))
    expect(parse(yaml.stdout)).to.include({ enabled: true })
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

  it('installs bubblewrap once, after fetching the package lists that a fresh image lacks', () => {
    const bin = path.join(folder, 'bin')
    fs.mkdirSync(bin)
    const script = (name: string, body: string): void =>
      fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
    script('sudo', 'shift; exec "$@"')
    script('env', 'shift; exec "$@"')
    script('true', 'exit 0')
    script(
      'apt-get',
      `echo "$1" >> "${bin}/calls"
      if [ "$1" = update ]; then : > "${bin}/lists"; exit 0; fi
      [ -e "${bin}/lists" ] || { echo "E: Unable to locate package bubblewrap" >&2; exit 100; }
      printf '#!/bin/sh\\nexit 0\\n' > "${bin}/bwrap"; /bin/chmod +x "${bin}/bwrap"`,
    )
    const planned = phantom(['setup', '--dry-run'], { PATH: bin })
    expect(planned.stdout).to.include('would run:').and.include('apt-get install bubblewrap')
    expect(fs.existsSync(path.join(bin, 'calls'))).to.be.false

    const first = phantom(['setup'], { PATH: bin })
    expect(first.stdout).to.include('✓ bubblewrap: installed').and.include('tier namespace')
    const second = phantom(['setup'], { PATH: bin })
    expect(second.stdout).to.include('✓ bubblewrap: there already')
    expect([first.status, second.status]).to.deep.equal([0, 0])
    expect(fs.readFileSync(path.join(bin, 'calls'), 'utf8')).to.equal('install\nupdate\ninstall\n')
  })

  it('goes on when bubblewrap cannot make a sandbox, and says which tier that leaves', () => {
    const bin = path.join(folder, 'broken-bin')
    fs.mkdirSync(bin)
    const refusal = 'bwrap: No permissions to create new namespace'
    fs.writeFileSync(path.join(bin, 'bwrap'), `#!/bin/sh\necho "${refusal}" >&2\nexit 1\n`, { mode: 0o755 })
    const { status, stdout } = phantom(['setup'], { PATH: bin })
    expect(status).to.equal(0)
    expect(stdout).to.include('! isolation: tier process').and.include(refusal)
  })
})
