import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { processesNaming } from '../../src/cli/selftest/arena-processes.ts'
import { PROBES } from '../../src/cli/selftest/catalogue.ts'
import type { SuiteReport } from '../../src/cli/selftest/run-suite.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { until } from '../helpers/daemon.ts'
import { makeTemporary, ordinaryUser, removeTemporary, whyNotReadable } from '../helpers/ordinary-user.ts'
import { skipBecause } from '../helpers/skip.ts'

const LAUNCHER = path.resolve(import.meta.dirname, '../../src/cli/launcher.ts')

describe('phantom selftest', function () {
  this.timeout(240_000)
  const cli = new CommandLine(import.meta.dirname)

  it('prints a table with a verdict for each probe and ends with 0 where all is held', async () => {
    const { code, stdout, stderr } = await cli.run([
      'selftest',
      '--only',
      'files-absolute',
      '--only',
      'time-spin',
    ])
    expect({ code, stderr }, stdout).to.deep.equal({ code: 0, stderr: '' })
    expect(stdout)
      .to.match(/files-absolute +held +held/)
      .and.to.match(/time-spin +held +held/)
    expect(stdout).to.match(/isolation (namespace|process): 2 held/)
  })

  it('shows what tier process does not hold as such, and not as a pass', async () => {
    const args = ['selftest', '--tier', 'process', '--only', 'links-shipped']
    const { code, stdout } = await cli.run(args)
    expect(code, stdout).to.equal(0)
    expect(stdout).to.match(/links-shipped +nothing +not held here \(tier process\)/)
    expect(stdout).to.match(/isolation process: 0 held, 1 not held here/)
  })

  it('names all probes with --list, and says of an unknown one how to find them', async () => {
    const list = await cli.json<{ id: string }[]>(['selftest', '--list'])
    expect(list.map(({ id }) => id)).to.deep.equal(PROBES.map(({ id }) => id))
    const { code, stderr } = await cli.run(['selftest', '--only', 'no-such'])
    expect(code).to.equal(2)
    expect(stderr).to.contain('no-such').and.to.contain('phantom selftest --list')
  })

  it('tries at least 80 things', () => expect(PROBES.length).to.be.at.least(80))

  it('ends with 1 and the reason where the wanted tier is not there', async () => {
    const without = new CommandLine(import.meta.dirname, { PHANTOM_BWRAP: '' })
    const { code, stderr } = await without.run([
      'selftest',
      '--tier',
      'namespace',
      '--only',
      'files-absolute',
    ])
    expect(code).to.equal(4)
    expect(stderr).to.contain('phantom doctor')
  })

  it('ends by Ctrl-C after the probe that runs, with 130, and leaves nothing behind', async () => {
    // A group of its own, to which a terminal would send the signal.
    const child = spawn(process.execPath, [LAUNCHER, 'selftest'], { detached: true, stdio: 'ignore' })
    const ended = once(child, 'exit')
    const folders = (): string[] =>
      fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith('phantom-selftest-'))
    const isRunning = (): boolean =>
      processesNaming(path.join(os.tmpdir(), 'phantom-selftest-')).some((pid) => pid !== child.pid)
    await until(isRunning, 'its plugins to run')
    process.kill(-child.pid!, 'SIGINT')
    expect(await ended).to.deep.equal([130, null])
    expect(folders()).to.deep.equal([])
  })

  for (const tier of ['namespace', 'process'] as const) {
    it(`sees the same for an ordinary user's daemon in tier ${tier}`, async function () {
      const user = ordinaryUser()
      if (process.getuid?.() !== 0) skipBecause.call(this, 'the other tests ran as an ordinary user')
      const reason = whyNotReadable(user, LAUNCHER)
      if (reason !== null) skipBecause.call(this, reason)
      makeTemporary(user)
      try {
        const report = await selftestAs(user.prefix, user.temporary, tier)
        if (report === null) return skipBecause.call(this, `an ordinary user gets no tier ${tier} here`)
        expect(report.results.map(({ id }) => id)).to.deep.equal(PROBES.map(({ id }) => id))
        const others = report.results.filter(
          ({ outcome, expected }) => outcome !== expected && outcome !== 'skipped',
        )
        expect(others.map(({ id, outcome, found }) => `${id} ${outcome}: ${found}`)).to.deep.equal([])
        expect(report.left_processes).to.deep.equal([])
        expect(
          fs.readdirSync(user.temporary).filter((name) => name.startsWith('phantom-selftest')),
        ).to.deep.equal([])
      } finally {
        removeTemporary(user)
      }
    })
  }
})

function selftestAs(prefix: readonly string[], temporary: string, tier: string): Promise<SuiteReport | null> {
  const [file, ...args] = [...prefix, process.execPath, LAUNCHER, 'selftest', '--tier', tier, '--json']
  const env = { ...process.env, HOME: temporary, TMPDIR: temporary }
  return new Promise((resolve, reject) => {
    execFile(file, args, { env, maxBuffer: 16 * 1024 * 1024 }, (_error, stdout, stderr) => {
      if (stderr.includes('SANDBOX_UNAVAILABLE')) return resolve(null)
      try {
        resolve(JSON.parse(stdout) as SuiteReport)
      } catch (cause) {
        reject(new Error(`"phantom selftest" said no JSON: ${stderr}`, { cause }))
      }
    })
  })
}
