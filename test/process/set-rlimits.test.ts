import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import { expect } from 'chai'
import { setRlimits } from '../../host/process/set-rlimits.ts'
import type { Rlimits } from '../../host/sandbox/rlimits.ts'
import { skipBecause } from '../helpers/skip.ts'

const PRLIMIT = '/usr/bin/prlimit'
const MIB = 1024 * 1024
const FIRST: Rlimits = { data: 64 * MIB, nofile: 100, nproc: null, fsize: MIB, core: 0, stack: 8 * MIB }

function limitOf(pid: number, name: string): string[] | undefined {
  const text = fs.readFileSync(`/proc/${pid}/limits`, 'utf8')
  return new RegExp(`^${name}\\s+(\\d+)\\s+(\\d+)`, 'm').exec(text)?.slice(1)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

describe('setRlimits()', () => {
  let child: ChildProcess

  before(function () {
    if (!fs.existsSync(PRLIMIT)) skipBecause.call(this, 'prlimit is not installed')
  })
  beforeEach(async () => {
    child = spawn('/bin/sleep', ['60'])
    await new Promise((resolve) => child.once('spawn', resolve))
  })
  afterEach(() => end(child))

  it('lowers one limit where the kernel lets nobody raise another again', async function () {
    expect([...(await setRlimits(PRLIMIT, child.pid!, FIRST))]).to.deep.equal([])
    const problems = await setRlimits(PRLIMIT, child.pid!, { ...FIRST, data: 128 * MIB, nofile: 40 })
    expect(limitOf(child.pid!, 'Max open files')).to.deep.equal(['40', '40'])
    if (problems.size === 0) skipBecause.call(this, 'CAP_SYS_RESOURCE raises every limit')
    expect([...problems.keys()]).to.deep.equal(['data'])
    expect(problems.get('data')).to.match(/not permitted/)
    expect(limitOf(child.pid!, 'Max data size')).to.deep.equal([String(64 * MIB), String(64 * MIB)])
  })

  it('says of each why it could not be set where the process is gone', async () => {
    await end(child)
    expect([...(await setRlimits(PRLIMIT, child.pid!, FIRST)).keys()]).to.include.members(['data', 'nofile'])
  })
})
