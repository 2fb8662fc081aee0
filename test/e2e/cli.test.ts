import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import type { PluginExecutionResult, PluginLogLine } from '../../src/contract/execution.ts'
import type { PluginInfo, PluginSummary } from '../../src/contract/plugin-info.ts'
import type { DoctorReport } from '../../src/contract/doctor-report.ts'
import type { DaemonStatus, PluginValidation } from '../../src/contract/system-methods.ts'
import { isAlive, until } from '../helpers/daemon.ts'
import { CommandLine, type Ended, type RunningCommand } from '../helpers/command-line.ts'

const MANIFEST = `[plugin]
id = "talker"
name = "Talker"
version = "1.2.3"
author = "Phantom ML"
description = "Says what the tests ask it to"
type = "javascript"
entry_point = "index.js"

[[operations]]
name = "echo"
description = "Answers its input"

[[operations]]
name = "fail"
description = "Fails in words"

[[operations]]
name = "wait"
description = "Reports progress and ends when it is cancelled"

[[operations]]
name = "strict"
description = "Takes an object with a count"
input_schema = { type = "object", required = ["count"], properties = { count = { type = "integer" } } }
`

const PLUGIN = `
import { definePlugin } from '@phantom-ml/core/plugin'

export default definePlugin({
  operations: {
    echo: (input, { log }) => {
      log.info('echo was here')
      return input
    },
    fail: () => {
      throw new Error('no such luck')
    },
    wait: (input, { progress, signal }) => {
      progress(0.5, 'half of it')
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null)))
    },
    strict: (input) => input.count,
  },
})
`

describe('phantom', function () {
  this.timeout(60_000)
  let folder = ''
  let commands: CommandLine

  before(() => {
    // The root daemon's plugins run under other users: the way to their files is open.
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-cli-'))
    fs.chmodSync(folder, 0o755)
    const plugin = path.join(folder, 'plugins/talker')
    fs.mkdirSync(plugin, { recursive: true })
    fs.writeFileSync(path.join(plugin, 'plugin.toml'), MANIFEST)
    fs.writeFileSync(path.join(plugin, 'index.js'), PLUGIN)
    fs.mkdirSync(path.join(folder, 'plugins/broken'))
    fs.writeFileSync(path.join(folder, 'plugins/broken/plugin.toml'), '[plugin]\nid = "broken"\nnme = "x"\n')
    fs.mkdirSync(path.join(folder, 'empty'))
    commands = new CommandLine(folder)
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  function phantom(args: string[], options: { stdin?: string; cwd?: string } = {}): Promise<Ended> {
    return commands.run(args, options)
  }

  describe('without a daemon', () => {
    it('runs an operation on a private one and prints its result alone', async () => {
      const ended = await phantom(['run', 'talker', 'echo', '--input', '{"a":[1,"é"]}'])
      expect(ended).to.deep.equal({ code: 0, stdout: '{\n  "a": [\n    1,\n    "é"\n  ]\n}\n', stderr: '' })
    })

    it('reads input from stdin and from a file', async () => {
      fs.writeFileSync(path.join(folder, 'input.json'), '"from a file"')
      const [piped, filed] = await Promise.all([
        phantom(['run', 'talker', 'echo', '--input', '-'], { stdin: '"from stdin"' }),
        phantom(['run', 'talker', 'echo', '--input', '@input.json']),
      ])
      expect([piped.stdout, filed.stdout]).to.deep.equal(['"from stdin"\n', '"from a file"\n'])
    })

    it('prints the whole result with --json', async () => {
      const { code, stdout } = await phantom(['run', 'talker', 'echo', '--input', '1', '--json'])
      const result = JSON.parse(stdout) as PluginExecutionResult
      expect(code).to.equal(0)
      expect(result).to.include({ plugin_id: 'talker', success: true, result: 1, error: null })
      expect(result.logs.join()).to.include('echo was here')
    })

    it("says a plugin's failure on stderr and exits with 1", async () => {
      const { code, stdout, stderr } = await phantom(['run', 'talker', 'fail'])
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' })
      expect(stderr).to.include('talker failed:').and.include('no such luck')
    })

    it('suggests the plugin and the operation that were meant, and exits with 3', async () => {
      const plugin = await phantom(['run', 'talkr', 'echo'])
      const operation = await phantom(['run', 'talker', 'ecko'])
      expect(plugin.stderr).to.include('"talker"')
      expect(operation.stderr).to.include('"echo"')
      expect([plugin.code, operation.code]).to.deep.equal([3, 3])
    })

    it('exits with 8 for input that the schema refuses, and says why as JSON', async () => {
      const { code, stdout, stderr } = await phantom(['run', 'talker', 'strict', '--input', '{}', '--json'])
      expect({ code, stdout }).to.deep.equal({ code: 8, stdout: '' })
      const { error } = JSON.parse(stderr) as { error: { code: string; message: string } }
      expect(error.code).to.equal('INPUT_INVALID')
      expect(error.message).to.include('count')
    })

    it('exits with 5 at the deadline', async () => {
      const { code, stderr } = await phantom(['run', 'talker', 'wait', '--timeout', '1500'])
      expect(code).to.equal(5)
      expect(stderr).to.include('1500')
    })

    it('lists plugins, and says what is wrong with a broken one', async () => {
      const table = await phantom(['list'])
      expect(table.code).to.equal(0)
      expect(table.stdout).to.match(/^ID +VERSION +TYPE +STATE +OPERATIONS\n/)
      expect(table.stdout).to.match(/talker +1\.2\.3 +javascript +enabled +echo, fail, wait, strict/)
      const plugins = JSON.parse((await phantom(['list', '--json'])).stdout) as PluginSummary[]
      expect(plugins.map(({ id, state }) => [id, state])).to.include.deep.members([
        ['talker', 'enabled'],
        ['broken', 'invalid'],
      ])
    })

    it('shows a plugin', async () => {
      const { code, stdout } = await phantom(['info', 'talker'])
      expect(code).to.equal(0)
      expect(stdout).to.include('talker 1.2.3').and.include('Answers its input').and.include('max_memory_mb')
      const info = JSON.parse((await phantom(['info', 'talker', '--json'])).stdout) as PluginInfo
      expect(info.entry_point).to.equal('index.js')
    })

    it('validates folders with file, line and column, and exits with 8 when one is invalid', async () => {
      const { code, stdout } = await phantom(['validate', 'plugins/talker', 'plugins/broken'])
      expect(code).to.equal(8)
      expect(stdout).to.match(/^plugins\/broken\/plugin\.toml:\d+:\d+ error .*nme/m)
      expect(stdout).to.include('✓ talker  plugins/talker  valid')
      const json = await phantom(['validate', 'plugins/talker/plugin.toml', '--json'])
      expect(json.code).to.equal(0)
      const validations = JSON.parse(json.stdout) as PluginValidation[]
      expect(validations.map(({ valid }) => valid)).to.deep.equal([true])
    })

    it('examines the machine, also where there is no plugin directory', async () => {
      const { code, stdout } = await phantom(['doctor', '--json'], { cwd: path.join(folder, 'empty') })
      const report = JSON.parse(stdout) as DoctorReport
      expect(report.tier).to.be.oneOf(['namespace', 'process'])
      expect(report.checks).to.not.be.empty
      expect(code).to.equal(report.checks.every(({ ok }) => ok) ? 0 : 1)
      expect(fs.readdirSync(path.join(folder, 'empty'))).to.be.empty
    })

    it('exits with 3 when the plugin directory that was named is not there', async () => {
      const { code, stderr } = await phantom(['list', '--plugins', 'nowhere'])
      expect(code).to.equal(3)
      expect(stderr).to.include(path.join(folder, 'nowhere'))
    })
  })

  it('ends the daemon of a "phantom serve" that is killed, which can pass nothing on', async () => {
    const serve = await commands.serve('--environment', 'test')
    const { pid } = JSON.parse((await phantom(['status', '--json'])).stdout) as DaemonStatus
    expect(pid).to.not.equal(serve.child.pid)
    serve.child.kill('SIGKILL')
    await until(() => !isAlive(pid), 'the end of the daemon')
    expect((await phantom(['status'])).code).to.equal(7)
  })

  describe('with the daemon of "phantom serve"', () => {
    let daemon: RunningCommand

    before(async () => (daemon = await commands.serve('--environment', 'test')))
    after(async () => await commands.stop())

    async function status(): Promise<DaemonStatus> {
      return JSON.parse((await phantom(['status', '--json'])).stdout) as DaemonStatus
    }

    it('shows the daemon', async () => {
      const { stdout } = await phantom(['status'])
      expect(stdout).to.match(/^daemon +\d/)
      expect(await status()).to.include({ environment: 'test', private: false })
    })

    it('attaches to it, by directory and by socket', async () => {
      const { socket, calls } = await status()
      const named = await phantom(['run', 'talker', 'echo', '--input', '1', '--socket', socket])
      const found = await phantom(['run', 'talker', 'echo', '--input', '2'])
      expect([named.stdout, found.stdout]).to.deep.equal(['1\n', '2\n'])
      expect((await status()).calls.total).to.equal(calls.total + 2)
    })

    it('exits with 7 for a socket that is not there', async () => {
      const { code, stderr } = await phantom(['list', '--socket', path.join(folder, 'no.sock')])
      expect(code).to.equal(7)
      expect(stderr).to.include('no.sock')
    })

    it('refuses a second daemon of the same directory', async () => {
      const { code, stderr } = await phantom(['serve'])
      expect(code).to.equal(65)
      expect(stderr).to.not.equal('')
    })

    it("shows the plugins' log, by level, as lines and as JSON", async () => {
      const text = await phantom(['logs', 'talker', '-n', '5'])
      expect(text.stdout).to.match(/ info +talker +.*echo was here/)
      const { stdout } = await phantom(['logs', '--json'])
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as PluginLogLine)
      expect(lines.map(({ message }) => message).join()).to.include('echo was here')
      expect((await phantom(['logs', 'talker', '--level', 'error'])).stdout).to.not.include('echo was here')
    })

    it('follows the log until Ctrl-C', async () => {
      const follower = commands.start('logs', '-n', '0', '--follow')
      // No sign tells that it listens but a line itself.
      while (!follower.text.includes('echo was here')) {
        expect((await phantom(['run', 'talker', 'echo'])).stderr).to.equal('')
      }
      follower.child.kill('SIGINT')
      expect(await follower.exitCode).to.equal(130)
    })

    it('cancels the call at Ctrl-C and exits with 130', async () => {
      const call = commands.start('run', 'talker', 'wait')
      while ((await status()).calls.in_flight === 0) expect(call.child.exitCode, call.text).to.equal(null)
      call.child.kill('SIGINT')
      expect(await call.exitCode).to.equal(130)
      expect(call.text).to.include('Cancelled')
      expect((await status()).calls.in_flight).to.equal(0)
    })

    it('completes plugins and operations by what the daemon says', async () => {
      expect((await phantom(['__complete', '--', 'run', 't'])).stdout).to.equal('talker\n')
      expect((await phantom(['__complete', '--', 'run', 'talker', ''])).stdout).to.equal(
        'echo\nfail\nwait\nstrict\n',
      )
    })

    it('passes SIGTERM on and ends with exit code 0', async () => {
      daemon.child.kill('SIGTERM')
      expect(await daemon.exitCode, daemon.text).to.equal(0)
      expect((await phantom(['status'])).code).to.equal(7)
    })
  })
})
