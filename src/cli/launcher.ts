#!/usr/bin/env node
/**
 * What `phantom` points at. It runs on Node 20: there it finds a Node that the CLI and the daemon work on, or fetches
 * it, and runs itself again with that one; here it does nothing but load the CLI.
 */
import { fileURLToPath } from 'node:url'
import { isRuntimeVersion } from '../client/runtime/probe-runtime.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { isPhantomError, messageOf } from '../contract/phantom-error.ts'
import { runInForeground } from './foreground.ts'
import { runtimeFor } from './runtime-for.ts'

const args = process.argv.slice(2)

if (isRuntimeVersion(process.versions.node)) {
  // Named at run time, so that the bundler leaves it a file of its own and Node 20 never parses it.
  const entry = import.meta.url.endsWith('.ts') ? './main.ts' : './main.js'
  await import(new URL(entry, import.meta.url).href)
} else {
  process.exitCode = await relaunch()
}

async function relaunch(): Promise<number> {
  try {
    const runtime = await runtimeFor(args)
    if (typeof runtime === 'number') return runtime
    return await runInForeground({ file: runtime.path, args: [fileURLToPath(import.meta.url), ...args] })
  } catch (error) {
    return withoutRuntime(error)
  }
}

function withoutRuntime(error: unknown): number {
  const message = messageOf(error)
  if (!args.includes('--json') || !isPhantomError(error)) process.stderr.write(`${message}\n`)
  else {
    const { code, details } = error
    process.stderr.write(`${JSON.stringify({ error: { code, message, details } })}\n`)
  }
  return CLI_EXIT_CODES.daemon
}
