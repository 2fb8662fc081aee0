import ajvPackage from 'ajv/package.json' with { type: 'json' }
import { createHash, randomUUID } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Piscina } from 'piscina'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { PACKAGE_VERSION } from '../../src/contract/version.ts'
import { escapeControl } from '../observe/escape-control.ts'
import { openCheckThread } from './check-thread.ts'
import type { SchemaOutcome, SchemaTask } from './schema-task.ts'
import type { ValueProblem } from './value-problems.ts'

const DEFAULT_TIMEOUT_MS = 2000
/** For a thread to start and load ajv, on a busy machine: no schema is to blame for it. */
const WARM_UP_TIMEOUT_MS = 30_000
const IDLE_TIMEOUT_MS = 2000
const MAX_SCHEMA_CHARS = 256 * 1024
const MAX_REASON_CHARS = 1000
/** Changes with the wrapper around ajv's code: an older cached file must not be taken for ours. */
const CACHE_FORMAT = 1
/** In the bundle everything of the host is one file in dist/host, the worker one below it. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './schema-worker.ts' : './validation/schema-worker.js',
  import.meta.url,
)

export interface SchemaCompilerOptions {
  /** Validators lie here for the runners to read; made when it is not there. */
  readonly cacheDirectory: string
  /** For one schema, from when its turn has come. */
  readonly timeoutMs?: number
}

export interface CheckedConfig {
  readonly value: Record<string, unknown>
  readonly problems: readonly ValueProblem[]
}

type JsonSchema = Readonly<Record<string, unknown>>

/**
 * Compiles schemas of manifests, which are hostile, in a worker thread that is ended when one takes too long or
 * too much memory; the next one gets a new thread. One at a time, and each only once for all daemons to come.
 */
export class SchemaCompiler {
  readonly #cacheDirectory: string
  readonly #timeoutMs: number
  /** By this process. */
  readonly #made = new Set<string>()
  readonly #inFlight = new Map<string, Promise<string>>()
  #pool: Promise<Piscina<SchemaTask, SchemaOutcome>> | null = null
  #turn: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: SchemaCompilerOptions) {
    this.#cacheDirectory = options.cacheDirectory
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  }

  /**
   * The path of a module that checks an input, see `wrapValidator`. Throws `MANIFEST_INVALID`.
   *
   * @param isForHost whether the daemon itself will run it: then it is one that this very process has made. What lies in
   *   the state folder may have come there with a project that somebody else made.
   */
  async compileInput(schema: JsonSchema, isForHost = false): Promise<{ path: string }> {
    const schemaJson = toJson(schema)
    const path = this.#pathOf(schemaJson, 'cjs')
    const task: SchemaTask = { kind: 'compile_input', schemaJson }
    if (!isForHost) await this.#cached(path, task)
    else if (!this.#made.has(path)) await this.#make(path, task)
    return { path }
  }

  /** What a plugin's configuration is when nobody writes one. Throws `CONFIG_INVALID` or `MANIFEST_INVALID`. */
  async configDefaults(schema: JsonSchema): Promise<Record<string, unknown>> {
    const schemaJson = toJson(schema)
    const json = await this.#cached(this.#pathOf(schemaJson, 'json'), { kind: 'config_defaults', schemaJson })
    return JSON.parse(json) as Record<string, unknown>
  }

  /**
   * Where a configuration does not fit, and the configuration with its defaults filled in. Nothing is kept of it.
   * Throws `MANIFEST_INVALID` where the schema is wrong, or checking by it takes too long.
   */
  async checkConfig(schema: JsonSchema, value: Readonly<Record<string, unknown>>): Promise<CheckedConfig> {
    const valueJson = JSON.stringify(value)
    const task: SchemaTask = { kind: 'check_config', schemaJson: toJson(schema), valueJson }
    const outcome = await this.#inTurn(() => this.#run(task))
    if (outcome.kind !== 'config_checked') {
      toText(outcome)
      throw new TypeError(`Cannot use the answer "${outcome.kind}" as a checked configuration`)
    }
    return { value: JSON.parse(outcome.json) as Record<string, unknown>, problems: outcome.problems }
  }

  /** Ends the thread; what is under way is refused with `DAEMON_SHUTTING_DOWN`. */
  async close(): Promise<void> {
    this.#isClosed = true
    const pool = await this.#pool
    await pool?.destroy()
    await Promise.allSettled([...this.#inFlight.values(), this.#turn])
  }

  #pathOf(schemaJson: string, extension: string): string {
    const salt = `${CACHE_FORMAT} ${ajvPackage.version} ${PACKAGE_VERSION}`
    const digest = createHash('sha256').update(`${salt}\n${schemaJson}`).digest('hex')
    return join(this.#cacheDirectory, `${digest}.${extension}`)
  }

  /** The text of that file, made first where it is not there; callers at the same time share the work. */
  #cached(path: string, task: SchemaTask): Promise<string> {
    const known = this.#inFlight.get(path)
    if (known !== undefined) return known
    const text = this.#readOrMake(path, task).finally(() => this.#inFlight.delete(path))
    this.#inFlight.set(path, text)
    return text
  }

  async #readOrMake(path: string, task: SchemaTask): Promise<string> {
    // An empty file is what a power cut leaves of one that was just renamed.
    const stored = await readFile(path, 'utf8').catch(() => '')
    return stored === '' ? await this.#make(path, task) : stored
  }

  async #make(path: string, task: SchemaTask): Promise<string> {
    const text = toText(await this.#inTurn(() => this.#run(task)))
    await mkdir(this.#cacheDirectory, { recursive: true, mode: 0o755 })
    await writeWhole(path, text)
    this.#made.add(path)
    return text
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  async #run(task: SchemaTask): Promise<SchemaOutcome> {
    if (this.#isClosed) throw shuttingDown()
    const pool = await (this.#pool ??= openPool())
    try {
      await pool.run({ kind: 'warm_up' }, { signal: AbortSignal.timeout(WARM_UP_TIMEOUT_MS) })
    } catch (error) {
      if (this.#isClosed) throw shuttingDown()
      const message = `Cannot check schemas: the worker thread does not start: ${messageOf(error)}. See the daemon's log`
      throw new PhantomError('INTERNAL_ERROR', message, { cause: error })
    }
    const deadline = AbortSignal.timeout(this.#timeoutMs)
    try {
      return await pool.run(task, { signal: deadline })
    } catch (error) {
      if (this.#isClosed) throw shuttingDown()
      // Its deadline, or a thread that died: of its memory limit, for all that a schema can do there.
      const reason = deadline.aborted
        ? `checking it takes longer than ${this.#timeoutMs} ms (a pattern like "(a+)+$", or definitions that multiply)`
        : `checking it ended with: ${messageOf(error)} (definitions that multiply, or too large)`
      throw manifestInvalid(`${reason}. Simplify it`, error)
    }
  }
}

function openPool(): Promise<Piscina<SchemaTask, SchemaOutcome>> {
  return openCheckThread({
    worker: WORKER_URL,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxOldGenerationSizeMb: 128,
    maxYoungGenerationSizeMb: 16,
  })
}

function toJson(schema: JsonSchema): string {
  let json: unknown
  try {
    json = JSON.stringify(schema)
  } catch (error) {
    // Big integers, circles, or nested beyond the stack.
    throw manifestInvalid(`it is no JSON: ${messageOf(error)}. Write it as JSON Schema`, error)
  }
  if (typeof json !== 'string') throw manifestInvalid('it is no JSON. Write it as JSON Schema')
  if (json.length <= MAX_SCHEMA_CHARS) return json
  throw manifestInvalid(
    `it has ${json.length} characters, at most ${MAX_SCHEMA_CHARS} are allowed. Shorten it`,
  )
}

function toText(outcome: SchemaOutcome): string {
  switch (outcome.kind) {
    case 'module':
      return outcome.source
    case 'defaults':
      return outcome.json
    case 'schema_refused':
      throw manifestInvalid(outcome.reason)
    case 'defaults_refused':
      throw new PhantomError(
        'CONFIG_INVALID',
        `Cannot configure the plugin by its defaults: ${shown(outcome.reason)}. ` +
          `Give the fields a default in "[configuration]" of plugin.toml`,
        { details: { fields: outcome.fields } },
      )
    case 'warm':
    case 'config_checked':
      throw new TypeError(`Cannot use the answer "${outcome.kind}" as a text`)
  }
}

/** Runners of other users read it, by bind mount; whoever reads it finds the whole or nothing. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await writeFile(temporary, text, { flag: 'wx' })
    await chmod(temporary, 0o644)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    const message = `Cannot write "${path}": ${messageOf(error)}. See that the daemon owns its folder and the disk has room`
    throw new PhantomError('INTERNAL_ERROR', message, { cause: error, details: { path } })
  }
}

function manifestInvalid(reason: string, cause?: unknown): PhantomError {
  const words = shown(reason)
  const options = cause === undefined ? {} : { cause }
  return new PhantomError('MANIFEST_INVALID', `Cannot use the schema: ${words}`, {
    ...options,
    details: { reason: words },
  })
}

function shown(reason: string): string {
  return escapeControl(reason.length > MAX_REASON_CHARS ? `${reason.slice(0, MAX_REASON_CHARS)}…` : reason)
}

function shuttingDown(): PhantomError {
  return new PhantomError(
    'DAEMON_SHUTTING_DOWN',
    'Cannot check a schema: the daemon is shutting down. Call it again',
  )
}
