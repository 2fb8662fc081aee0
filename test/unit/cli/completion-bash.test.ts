import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'

const LAUNCHER = path.resolve(import.meta.dirname, '../../../src/cli/launcher.ts')
const run = promisify(execFile)

describe('phantom completion bash', () => {
  let folder = ''
  let script = ''

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-completion-'))
    const command = path.join(folder, 'phantom')
    fs.writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${LAUNCHER}" "$@"\n`, { mode: 0o755 })
    addPlugin(
      'data_processor',
      '[[operations]]\nname = "process_pipeline"\n[[operations]]\nname = "describe"\n',
    )
    addPlugin('echo', '')
    addPlugin('$(touch pwned)', '')
    fs.mkdirSync(path.join(folder, 'plugins/no-manifest'))
    script = path.join(folder, 'completion.bash')
    fs.writeFileSync(script, (await run(command, ['completion', 'bash'])).stdout)
  })
  after(() => fs.rmSync(folder, { recursive: true }))

  function addPlugin(id: string, manifest: string): void {
    fs.mkdirSync(path.join(folder, 'plugins', id), { recursive: true })
    fs.writeFileSync(path.join(folder, 'plugins', id, 'plugin.toml'), manifest)
  }

  /** What bash would offer for the last of these words. */
  async function offer(...words: string[]): Promise<string[]> {
    const ask = `
      source "$1"; shift
      complete -p phantom >/dev/null || exit 1
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _phantom "$1" "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
      (( \${#COMPREPLY[@]} )) && printf '%s\\n' "\${COMPREPLY[@]}"
      exit 0`
    const env = { PATH: `${folder}:/usr/bin:/bin` }
    const { stdout } = await run('bash', ['-c', ask, 'bash', script, ...words], { cwd: folder, env })
    return stdout.split('\n').filter((line) => line !== '')
  }

  it('offers commands without their descriptions', async () => {
    expect(await offer('phantom', 's')).to.deep.equal(['serve', 'status', 'send', 'selftest', 'setup'])
  })

  it('offers the options of a command', async () => {
    expect(await offer('phantom', 'run', '--in')).to.deep.equal(['--input'])
  })

  it('offers plugin folders and their operations when no daemon runs', async () => {
    expect(await offer('phantom', 'run', '')).to.deep.equal(['data_processor', 'echo'])
    expect(await offer('phantom', 'run', 'data_processor', '')).to.deep.equal([
      'process_pipeline',
      'describe',
    ])
  })

  it('offers nothing after a plugin directory that is not there', async () => {
    expect(await offer('phantom', '--plugins', './nowhere', 'info', '')).to.deep.equal([])
  })

  it('works when the command is typed as a path', async () => {
    expect(await offer('./phantom', 'doc')).to.deep.equal(['doctor'])
  })

  it('never puts a folder name on the command line that a shell would run', () => {
    expect(fs.existsSync(path.join(folder, 'pwned'))).to.be.false
  })
})
