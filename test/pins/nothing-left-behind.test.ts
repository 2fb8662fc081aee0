import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'

const ROOT = path.resolve(import.meta.dirname, '../..')
const SKIP = path.join(ROOT, 'test/helpers/skip.ts')

const LEAKS = `
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
describe('a file that leaks', () => {
  it('leaves a process that is nobody\\'s child', async () => {
    const started = spawn('setsid', ['-f', 'sleep', '60'], { stdio: 'ignore' })
    await new Promise((resolve) => started.on('exit', resolve))
  })
  it('leaves one with an empty environment, as a sandbox has', async () => {
    const args = ['-f', 'env', '-i', 'sh', '-c', 'sleep 61; true', os.tmpdir() + '/mounted']
    const started = spawn('setsid', args, { stdio: 'ignore' })
    await new Promise((resolve) => started.on('exit', resolve))
  })
  it('leaves a folder', () => { fs.mkdtempSync(os.tmpdir() + '/phantom-left-') })
  it('causes a warning', () => { process.emitWarning('too many of something') })
})
`
const CLEAN = `
import { skipBecause } from ${JSON.stringify(SKIP)}
describe('a file that skips', () => {
  it('passes', () => {})
  it('needs a peer', function () { skipBecause.call(this, 'there is no peer') })
})
describe('a suite that skips', () => {
  before(function () { skipBecause.call(this, 'there is no machine') })
  it('never runs', () => {})
})
`

interface Run {
  readonly code: number
  readonly lines: readonly string[]
}

describe('the root hook and the reporter', () => {
  let folder: string

  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-hook-'))))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('fail the file that leaves something behind, name all of it, and end what runs on', async () => {
    const { code, lines } = await mocha('leaks.test.ts', LEAKS)
    const text = lines.join('\n')
    expect(code).to.equal(1)
    expect(text).to.match(/"after all" hook: leaves nothing behind/)
    expect(text).to.match(/process \d+: sleep 60/)
    expect(text).to.match(/process \d+: sh -c sleep 61/)
    expect(text).to.match(/file: .*\/phantom-left-/)
    expect(text).to.contain('warning: Warning: too many of something')
    expect(lines.at(-1)).to.equal('4 passed, 1 failed, 0 skipped')

    const pids = [...text.matchAll(/process (\d+): s/g)].map(([, pid]) => Number(pid))
    expect(pids.filter(isRunning)).to.deep.equal([])
  })

  it('say every skip with its reason, and the counts on a line by themselves', async () => {
    const { code, lines } = await mocha('clean.test.ts', CLEAN)
    expect(code).to.equal(0)
    expect(lines.slice(-3)).to.deep.equal([
      'Skipped: a file that skips needs a peer: there is no peer',
      'Skipped: a suite that skips: there is no machine',
      '1 passed, 0 failed, 2 skipped',
    ])
  })

  function mocha(name: string, source: string): Promise<Run> {
    const file = path.join(folder, name)
    fs.writeFileSync(file, source)
    const args = [path.join(ROOT, 'node_modules/mocha/bin/mocha.js'), file]
    return new Promise((resolve) => {
      execFile(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }, (error, stdout) => {
        resolve({
          code: typeof error?.code === 'number' ? error.code : 0,
          lines: stdout.trimEnd().split('\n'),
        })
      })
    })
  }
})

function isRunning(pid: number): boolean {
  const stat = fs.existsSync(`/proc/${pid}/stat`) ? fs.readFileSync(`/proc/${pid}/stat`, 'utf8') : ''
  return stat !== '' && !/\) [ZX] /.test(stat)
}
