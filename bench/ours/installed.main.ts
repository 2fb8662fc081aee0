/** A pinned process: an application that starts a daemon beside many installed plugins. */
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { create_plugin_system } from '@phantom-ml/core'
import { peakBytes, residentBytes } from '../harness/process-memory.ts'
import type { InstalledQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { copiesOf, installPlugins } from './install-plugins.ts'
import { pluginDirectory } from './open-system.ts'

/** What it does after it has answered counts as well, and V8 has given back by then what it will. */
const SETTLE_MS = 1_000

const directory = pluginDirectory(process.cwd())
const state = path.join(process.cwd(), 'state')
let installed = 0

serveQuestions<InstalledQuestions>({
  start: async ({ plugins }) => {
    installed = plugins
    installPlugins(directory, copiesOf('echo', plugins))
    return null
  },
  startDaemon: async ({ isFirst }) => {
    if (isFirst) fs.rmSync(state, { recursive: true, force: true })
    const startMs = performance.now()
    const system = await create_plugin_system(directory, 'test', { state_directory: state })
    try {
      const { pid, plugins } = await system.get_status()
      const readyMs = performance.now() - startMs
      const enabled = plugins.by_state['enabled'] ?? 0
      if (enabled < installed)
        throw new Error(`Cannot measure: ${enabled} plugins of ${installed} are enabled`)
      await sleep(SETTLE_MS)
      return { readyMs, peakBytes: peakBytes(pid), settledBytes: residentBytes(pid) }
    } finally {
      await system.shutdown()
    }
  },
  close: async () => null,
})
