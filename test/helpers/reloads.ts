import fs from 'node:fs'
import path from 'node:path'
import type { GenerationInfo } from '../../src/contract/generations.ts'
import { until, type TestDaemon, type World } from './daemon.ts'
import { manifestText } from './plugin-folders.ts'

/** A process start on a busy machine, several times over. */
const PATIENCE_MS = 30_000

export interface VersionedPlugin {
  /** More of the manifest; `version` may stand alone. */
  readonly manifest?: string
  /** More operations and hooks of the definition. */
  readonly operations?: string
  readonly hooks?: string
}

/** Code that answers `version` with what it was saved as. */
export function versionedCode(
  version: string,
  { operations = '', hooks = '' }: VersionedPlugin = {},
): string {
  const wait = 'wait: (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms)),'
  return `export default {\n  operations: { version: () => '${version}', ${wait} ${operations} },\n  ${hooks}\n}\n`
}

export function addVersioned(world: World, id: string, more: VersionedPlugin = {}): void {
  world.write(`plugins/${id}/plugin.toml`, manifestText(id, more.manifest ?? ''))
  world.write(`plugins/${id}/index.js`, versionedCode('one', more))
}

/** Saves a file as editors do, in one step: nobody ever sees half of it. */
export function save(world: World, name: string, text: string): void {
  const draft = world.path(`draft-of-${path.basename(name)}`)
  fs.writeFileSync(draft, text)
  fs.renameSync(draft, world.path(name))
}

export function saveCode(world: World, id: string, version: string, more: VersionedPlugin = {}): void {
  save(world, `plugins/${id}/index.js`, versionedCode(version, more))
}

/** The generation that serves. */
export async function served(daemon: TestDaemon, id: string): Promise<GenerationInfo> {
  const generations = await daemon.system.get_generations(id)
  const [one, ...others] = generations.filter(({ state }) => state === 'current' || state === 'probation')
  if (one === undefined || others.length > 0)
    throw new Error(`expected one generation of "${id}" that serves, got ${JSON.stringify(generations)}`)
  return one
}

/** Waits until another generation than that one serves. */
export async function successorOf(daemon: TestDaemon, id: string, number: number): Promise<GenerationInfo> {
  let now = await served(daemon, id)
  const isThere = async (): Promise<boolean> => {
    now = await served(daemon, id)
    return now.generation !== number
  }
  await until(isThere, `a generation of "${id}" after ${number}`, PATIENCE_MS)
  return now
}

/** Waits until a generation after that one was refused, and gives the newest of them. */
export async function rejectedAfter(
  daemon: TestDaemon,
  id: string,
  number: number,
): Promise<GenerationInfo & { failure: NonNullable<GenerationInfo['failure']> }> {
  const find = async () =>
    (await daemon.system.get_generations(id)).find(
      ({ state, generation }) => state === 'rejected' && generation > number,
    )
  await until(async () => (await find()) !== undefined, `a rejected generation of "${id}"`, PATIENCE_MS)
  const { failure, ...rejected } = (await find())!
  if (failure === null) throw new Error(`generation ${rejected.generation} was rejected without a reason`)
  return { ...rejected, failure }
}

/** Calls `version` and says what answered. */
export async function versionOf(
  daemon: TestDaemon,
  id: string,
  workspace?: string,
): Promise<{ version: string | null; generation: number }> {
  const options = workspace === undefined ? undefined : { workspace }
  const { result, metadata } = await daemon.call<string>(id, 'version', null, options)
  return { version: result, generation: metadata.generation }
}

/** Makes one call after the other until the work is done, and hands its failure on. */
export async function callDuring(work: Promise<unknown>, call: () => Promise<void>): Promise<void> {
  const over = new AbortController()
  const done = work.finally(() => over.abort())
  const calls = async (): Promise<void> => {
    while (!over.signal.aborted) await call()
  }
  await Promise.all([done, calls()])
}

/** What a daemon started and has not seen the end of; one each runner. */
export function childrenOf(pid: number): number[] {
  const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Fails when a process runs that the daemon does not tell of. */
export async function expectNoStrays(daemon: TestDaemon): Promise<void> {
  let told = 0
  let found = 0
  const isSo = async () => {
    const plugins = await daemon.system.list_plugins()
    const infos = await Promise.all(plugins.map(({ id }) => daemon.info(id)))
    told = infos.reduce((sum, { instances }) => sum + instances.length, 0)
    found = childrenOf(daemon.pid).length
    return told === found
  }
  await until(isSo, 'as many processes as the daemon tells of').catch((error: unknown) => {
    throw new Error(`the daemon tells of ${told} processes and has ${found}`, { cause: error })
  })
}

/** The copies of a plugin's files that the daemon keeps. */
export function snapshotsOf(world: World, id: string): string[] {
  const folder = world.path('.phantom/plugins/generations', id)
  return fs.existsSync(folder) ? fs.readdirSync(folder) : []
}
