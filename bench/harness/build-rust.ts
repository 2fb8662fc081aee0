import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const ROOT = path.resolve(import.meta.dirname, '../..')
/** Under the same paths as in the repository, where cargo would leave its lock files. */
const SOURCES = ['sandbox-runner/rust', 'bench/plugins/rust-echo']
const execute = promisify(execFile)

/**
 * The program of `bench/plugins/rust-echo`, built with Debian's crates where this is a Debian. What was built is kept in
 * the user's cache.
 *
 * @throws Error with what cargo says, or that there is none
 */
export async function buildRustEcho(): Promise<string> {
  const home = process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache')
  const cache = path.join(home, 'phantom-ml-core')
  const folder = path.join(cache, 'bench-rust')
  for (const source of SOURCES) {
    fs.rmSync(path.join(folder, source), { recursive: true, force: true })
    fs.cpSync(path.join(ROOT, source), path.join(folder, source), {
      recursive: true,
      preserveTimestamps: true,
      filter: (file) => !/\/(?:target|Cargo\.lock)$/.test(file),
    })
  }
  const target = path.join(cache, 'bench-rust-target')
  const env = { ...process.env, ...(await cratesOfDebian()), CARGO_TARGET_DIR: target }
  await execute('cargo', ['build', '--release', '--quiet'], {
    cwd: path.join(folder, 'bench/plugins/rust-echo'),
    env,
  })
  return path.join(target, 'release/main')
}

async function cratesOfDebian(): Promise<{ CARGO_HOME?: string }> {
  if (!fs.existsSync('/usr/bin/apt-get')) return {}
  const { stdout } = await execute(path.join(ROOT, '.scripts/rust-crates.sh'))
  return { CARGO_HOME: stdout.trim() }
}
