import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { processesNaming } from '../../src/cli/selftest/arena-processes.ts'
import { create_plugin_system } from '../../src/index.ts'

/**
 * An application of its own, run by whatever user: makes a world in its temporary folder, starts a daemon with
 * plugins that are busy for ever, says where all is as one line of JSON, and stays.
 */
const CODE = `
import { spawn } from 'node:child_process'
const LEFT = "trap '' TERM HUP INT; (setsid sh -c 'sleep 300; : MARKER' &) ; setsid sh -c 'sleep 300; : MARKER' & exit 0"
export default {
  operations: {
    ready: () => 'ready',
    leave: (marker) => (spawn('/bin/sh', ['-c', LEFT.replaceAll('MARKER', marker)], { detached: true, stdio: 'ignore' }).unref(), 'left'),
    spin: () => { for (;;); },
    wait: () => new Promise(() => {}),
  },
}
process.on('SIGTERM', () => {})
setInterval(() => {}, 1000)
`
const PLUGINS = ['spins', 'waits', 'idles', 'leaves']

/** One starts programs that nobody waits for: detached, orphaned, deaf to signals. */
const RIGHTS: Readonly<Record<string, string>> = { leaves: '[permissions]\npermissions = ["process"]\n' }

const world = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-busy-')))
for (const id of PLUGINS) {
  const folder = path.join(world, 'plugins', id)
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(
    path.join(folder, 'plugin.toml'),
    `[plugin]\nid = "${id}"\nname = "${id}"\nversion = "1.0.0"\ntype = "javascript"\nentry_point = "index.js"\n${RIGHTS[id] ?? ''}`,
  )
  fs.writeFileSync(path.join(folder, 'index.js'), CODE)
}
fs.chmodSync(world, 0o755)
const system = await create_plugin_system(path.join(world, 'plugins'), 'test', { workspace: world })
await system.approve_plugin('leaves', (await system.get_permissions('leaves')).digest)
for (const id of PLUGINS) await system.execute_plugin(id, 'ready')
for (const [id, operation] of [
  ['spins', 'spin'],
  ['waits', 'wait'],
])
  system.execute_plugin(id!, operation!).catch(() => {})
const { pid, tier } = await system.get_status()
let left = 0
if (tier === 'namespace') {
  // Their command lines name the world.
  await system.execute_plugin('leaves', 'leave', world)
  // What was seen once counts: a look may miss one that is just being started or renamed.
  while ((left = Math.max(left, countLeft())) < 2) await delay(5)
}
const runners = await Promise.all(PLUGINS.map((id) => pidOf(id)))
process.stdout.write(`${JSON.stringify({ world, daemon: pid, tier, runners, left })}\n`)
process.stdin.resume()

/** Of the shells that stay: the one that starts them names the same in a longer line. */
function countLeft(): number {
  return processesNaming(`-c\0sleep 300; : ${world}`).length
}

/** The sandbox reports its process by a way of its own, which may be a moment behind the first answer. */
async function pidOf(id: string): Promise<number> {
  for (;;) {
    const found = (await system.get_plugin_info(id)).instances[0]?.pid ?? null
    if (found !== null) return found
    await delay(5)
  }
}
