#!/usr/bin/env node
/**
 * What `phantom` points at. It runs on Node 20: there it finds a Node that the CLI and the daemon work on and
 * runs itself again with that one; here it does nothing but load the CLI.
 */
import { fileURLToPath } from 'node:url'
import { findRuntime, isRuntimeVersion } from '../client/find-runtime.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { isPhantomError, messageOf } from '../contract/phantom-error.ts'
import { PACKAGE_VERSION } from '../contract/version.ts'
import { runInForeground } from './foreground.ts'

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
    const runtime = await findRuntime()
    return await runInForeground({ file: runtime.path, args: [fileURLToPath(import.meta.url), ...args] })
  } catch (error) {
    return withoutRuntime(error)
  }
}

function withoutRuntime(error: unknown): number {
  const message = messageOf(error)
  const isVersion = args.some((arg) => arg === '--version' || arg === '-V')
  if (isVersion) process.stdout.write(`${PACKAGE_VERSION}\n`)
  if (!args.includes('--json') || !isPhantomError(error)) process.stderr.write(`${message}\n`)
  else {
    const { code, details } = error
    process.stderr.write(`${JSON.stringify({ error: { code, message, details } })}\n`)
  }
  return isVersion ? CLI_EXIT_CODES.ok : CLI_EXIT_CODES.daemon
}
