import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LauncherName } from './design.ts'
import type { Findings } from './findings.ts'
import { startPinned, type PinnedProcess } from './pinned-process.ts'
import type { LauncherQuestions } from './questions.ts'
import type { Setting } from './setting.ts'

const ENTRY = new URL('launcher-client.main.ts', import.meta.url)
const LAUNCHES = 25
const QUICK_LAUNCHES = 2
/** V8 gives memory back some time after the last work; the notes' figures were taken after as long. */
const SETTLE_MS = 2_000

/** What has no part in the goal of another: alone, since whoever is launched in turn also takes turns at the caches. */
const GROUPS: readonly (readonly LauncherName[])[] = [['bare-node', 'ours'], ['wasm']]

/** Start time and idle memory: our sandboxed runners and bare Node processes, launched in turn; then those of WebAssembly. */
export async function measureProcesses(setting: Setting, findings: Findings): Promise<void> {
  for (const names of GROUPS) await measureGroup(names, setting, findings)
}

async function measureGroup(
  names: readonly LauncherName[],
  setting: Setting,
  findings: Findings,
): Promise<void> {
  const launches = setting.isQuick ? QUICK_LAUNCHES : LAUNCHES
  const launchers = new Map<LauncherName, PinnedProcess<LauncherQuestions>>()
  try {
    for (const name of names) {
      const folder = path.join(setting.folder, `launcher-${name}`)
      const launcher = startPinned<LauncherQuestions>(ENTRY, name, { core: setting.core, folder })
      launchers.set(name, launcher)
      await findings.attempt(name, 0, async () => {
        await launcher.ask('start', null)
        // The first one fills caches and builds what is built once.
        await launcher.ask('launch', null)
      })
    }
    setting.tell(`processes: ${launches} launches of ${names.join(' and ')}`)
    for (let round = 1; round <= launches; round += 1) {
      for (const [name, launcher] of launchers) {
        await findings.attempt(name, round, async () => {
          findings.add(name, 'ready_ms', round, (await launcher.ask('launch', null)).readyMs)
        })
      }
    }
    await sleep(SETTLE_MS)
    for (const [name, launcher] of launchers) {
      await findings.attempt(name, launches, async () => {
        const { privateBytes } = await launcher.ask('idleMemory', null)
        privateBytes.forEach((bytes, at) => findings.add(name, 'idle_private_bytes', at + 1, bytes))
      })
    }
  } finally {
    await Promise.all(Array.from(launchers.values(), (launcher) => launcher.close()))
  }
}
