import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { skipBecause } from './skip.ts'

const execute = promisify(execFile)

const ROOT = path.resolve(import.meta.dirname, '../..')
/** What is built, under the same paths as in the repository, where cargo would leave its lock files. */
const SOURCES = ['sandbox-runner/rust', 'test/conformance/plugins/rust'] as const
export const CRATE = SOURCES[0]
export const CONFORMANCE = SOURCES[1]
const CACHE = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'phantom-ml-core')
/** Builds of a busy machine. */
export const BUILD_TIMEOUT_MS = 300_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** A cargo that finds the crates it needs, and copies of the repository's Rust sources. */
export class Cargo {
  /** A test puts packages of its own below. */
  readonly folder: string
  readonly #program: string
  readonly #home: { CARGO_HOME?: string }

  constructor(folder: string, home: { CARGO_HOME?: string }, program = 'cargo') {
    this.folder = folder
    this.#home = home
    this.#program = program
  }

  /** Where builds of the profile `release` end up. */
  get built(): string {
    return path.join(this.#target, 'release')
  }

  get #target(): string {
    return path.join(this.folder, this.#program === 'cargo' ? 'target' : 'target-of-oldest')
  }

  /** Where its crates are, and where it builds. */
  get environment(): Readonly<NodeJS.ProcessEnv> {
    return { ...this.#home, CARGO_TARGET_DIR: this.#target, CARGO_TERM_COLOR: 'never' }
  }

  /** The same by another cargo. */
  with(program: string): Cargo {
    return new Cargo(this.folder, this.#home, program)
  }

  /** A file of a package below, left alone where it is the same: cargo goes by the time of files. */
  write(name: string, text: string): void {
    const file = path.join(this.folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) fs.writeFileSync(file, text)
  }

  /** @throws Error with all that it said */
  async run(inFolder: string, ...parameters: string[]): Promise<string> {
    const cwd = path.join(this.folder, inFolder)
    const env = { ...process.env, ...this.environment }
    // Of one cargo; an older one does not read a newer one's.
    fs.rmSync(path.join(cwd, 'Cargo.lock'), { force: true })
    try {
      const options = { cwd, env, maxBuffer: MAX_OUTPUT_BYTES }
      const { stdout, stderr } = await execute(this.#program, parameters, options)
      return stdout + stderr
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      throw new Error(`cargo ${parameters.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
    }
  }
}

let opened: Promise<Cargo | string> | null = null

/** Skips the suite where there is none. Built things are kept between runs, in the user's cache. */
export async function openCargo(context: Mocha.Context): Promise<Cargo> {
  context.timeout(BUILD_TIMEOUT_MS)
  const cargo = await (opened ??= open())
  return typeof cargo === 'string' ? skipBecause.call(context, cargo) : cargo
}

/** Of the Rust that the crate promises to build with; null where nobody unpacked it. */
export function oldestCargo(): string | null {
  const program = path.join(CACHE, 'rust-1.63/bin/cargo')
  return fs.existsSync(program) ? program : null
}

async function open(): Promise<Cargo | string> {
  if (!(await answers('cargo', '--version'))) return 'cargo is not installed'
  const home = await cratesOfDebian()
  if (home instanceof Error) return `the crates of Debian's packages are not to be had: ${home.message}`
  const ofThisTree = createHash('sha256').update(ROOT).digest('hex').slice(0, 12)
  const folder = path.join(CACHE, `rust-${ofThisTree}`)
  for (const source of SOURCES) mirror(source, folder)
  return new Cargo(folder, home)
}

/** Elsewhere than on Debian the crates come from the registry that the user's cargo asks. */
async function cratesOfDebian(): Promise<{ CARGO_HOME?: string } | Error> {
  if (!(await answers('apt-get', '--version')) || !(await answers('dpkg', '--version'))) return {}
  try {
    const { stdout } = await execute(path.join(ROOT, '.scripts/rust-crates.sh'))
    return { CARGO_HOME: stdout.trim() }
  } catch (error) {
    return error as Error
  }
}

/** With their times, by which cargo knows what is new. */
function mirror(source: string, folder: string): void {
  const to = path.join(folder, source)
  const isSource = (file: string): boolean => !/\/(?:target|Cargo\.lock)$/.test(file)
  for (const entry of fs.existsSync(to) ? fs.readdirSync(to) : []) {
    if (entry !== 'Cargo.lock') fs.rmSync(path.join(to, entry), { recursive: true })
  }
  fs.cpSync(path.join(ROOT, source), to, { recursive: true, preserveTimestamps: true, filter: isSource })
}

async function answers(program: string, ...parameters: string[]): Promise<boolean> {
  return execute(program, parameters).then(
    () => true,
    () => false,
  )
}
