import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { askForTurn, type FetchTurn } from '../../../src/client/runtime/fetch-turn.ts'

/** No process of this run has it: it is above what the kernel gives (`pid_max` is at most 2^22). */
const NO_PROCESS = 4_194_999
const ELSEWHERE = '00000000'

describe('whose turn it is to fetch', () => {
  let parent = ''
  let own: FetchTurn

  beforeEach(async () => {
    parent = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-turn-'))
    own = askForTurn(parent)
  })
  afterEach(async () => {
    await own.end()
    fs.rmSync(parent, { recursive: true })
  })

  /** The folder of another process that asked a minute before us. */
  function other(scope: string, silentMs: number): string {
    const folder = path.join(parent, `.fetching-${Date.now() - 60_000}-${NO_PROCESS}-${scope}-0123abcd`)
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'half'), 'x')
    const heard = new Date(Date.now() - silentMs)
    fs.utimesSync(folder, heard, heard)
    return folder
  }

  const ownScope = (): string => path.basename(own.folder).split('-')[3] ?? ''

  it('is the first one that asked', async () => {
    const later = askForTurn(parent)
    const [first, second] = own.folder < later.folder ? [own, later] : [later, own]
    expect([await first.isFirst(), await second.isFirst()]).to.deep.equal([true, false])
    await first.end()
    expect(await second.isFirst()).to.equal(true)
    await later.end()
  })

  it('is no dead one: its folder goes', async () => {
    const dead = other(ownScope(), 0)
    expect(await own.isFirst()).to.equal(true)
    expect(fs.existsSync(dead)).to.equal(false)
  })

  it('is that of a process elsewhere, as long as it is heard of', async () => {
    const heard = other(ELSEWHERE, 10_000)
    expect(await own.isFirst()).to.equal(false)
    expect(fs.existsSync(path.join(heard, 'half'))).to.equal(true)
    const silent = new Date(Date.now() - 31_000)
    fs.utimesSync(heard, silent, silent)
    expect(await own.isFirst()).to.equal(true)
    expect(fs.existsSync(heard)).to.equal(false)
  })

  it('leaves alone what is no turn', async () => {
    const copy = path.join(parent, '26.10.0-linux-x64')
    fs.mkdirSync(copy)
    fs.mkdirSync(path.join(parent, '.fetching-me'))
    expect(await own.isFirst()).to.equal(true)
    expect(fs.readdirSync(parent)).to.include.members(['.fetching-me', path.basename(copy)])
  })
})
