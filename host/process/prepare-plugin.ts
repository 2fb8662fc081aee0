import type { Manifest, ManifestOperation } from '../../src/contract/manifest.ts'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { isPhantomError, PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { Generation } from '../generations/generation.ts'
import { takeSnapshot } from '../generations/snapshot.ts'
import type { SnapshotFolder } from '../generations/snapshot-folder.ts'
import { messageOperation } from '../messages/message-operation.ts'
import type { Executable } from '../native/executable.ts'
import { schemaIssues } from '../registry/schema-issues.ts'
import type { SchemaCompiler } from '../validation/schema-compiler.ts'
import type { InputRule } from '../validation/input-task.ts'
import { readExecutable } from './read-executable.ts'

/** What every instance of one generation shares, made once before the first. */
export interface PreparedPlugin {
  /** What its configuration is where nobody says anything. */
  readonly defaults: Record<string, unknown>
  readonly operations: RunnerOperation[]
  /** What it takes, by types in the place of names. */
  readonly messages: RunnerOperation[]
  /** The copy of its files that stands in its place; null where they are too many. */
  readonly overlayDir: string | null
  /** By operation, messages' included, for a plugin that has no runner to check its inputs; null for any other. */
  readonly inputRules: ReadonlyMap<string, InputRule> | null
  /** How its executable is started; null for a plugin that the runner runs. */
  readonly executable: Executable | null
  /** What the author should know, in words; null when nothing. */
  readonly notice: string | null
}

/**
 * Copies a plugin's files, compiles its schemas and fills its configuration with defaults.
 *
 * @throws PhantomError MANIFEST_INVALID, CONFIG_INVALID, PLUGIN_START_FAILED
 */
export async function preparePlugin(
  generation: Generation,
  powers: { compiler: SchemaCompiler; snapshots: SnapshotFolder },
): Promise<PreparedPlugin> {
  const { manifest, directory } = generation
  const clean = powers.snapshots.cleanerOf(generation.id)
  // A generation that comes back has its files already.
  const snapshot =
    generation.snapshot === null || generation.digest === null
      ? await takeSnapshot(directory, sourceOf(manifest), powers.snapshots.of(generation.id))
      : { directory: generation.snapshot, digest: generation.digest, changedAtMs: 0, notice: null }
  clean(snapshot.directory)
  generation.digest = snapshot.digest
  generation.snapshot = snapshot.directory
  generation.changedAtMs = snapshot.changedAtMs
  const executable = manifest.type === 'native' ? await readExecutable(generation) : null
  const { defaults, operations, messages } = await compileSchemas(generation, powers.compiler)
  return {
    defaults,
    operations: executable === null ? operations : operations.map(withoutValidator),
    messages: executable === null ? messages : messages.map(withoutValidator),
    overlayDir: snapshot.directory,
    executable,
    inputRules: executable === null ? null : inputRulesOf([...operations, ...messages.map(asOperation)]),
    notice: snapshot.notice,
  }
}

/** A schema that does not compile is a mistake in a file, so its place is told. */
async function compileSchemas(generation: Generation, compiler: SchemaCompiler) {
  const { id, manifest } = generation
  // Behind no runner of ours the daemon's own thread checks, and runs nothing that merely lay there.
  const compile = (schema: InputSchema) => compiler.compileInput(schema, manifest.type === 'native')
  const types = manifest.messages.map(({ type, inputSchema }) => ({ name: type, inputSchema }))
  try {
    return {
      operations: await compileAll(manifest.operations, compile),
      messages: await compileAll(types, compile),
      defaults: manifest.configuration === null ? {} : await compiler.configDefaults(manifest.configuration),
    }
  } catch (error) {
    if (!isPhantomError(error) || error.code !== 'MANIFEST_INVALID') throw error
    const issues = await schemaIssues(generation, compiler)
    const [first] = issues
    if (first === undefined) throw error
    const message = `Cannot start "${id}": its plugin.toml is invalid: ${issueText(first)}. See "phantom validate ${generation.directory}"`
    throw new PhantomError('MANIFEST_INVALID', message, { cause: error, details: { plugin_id: id, issues } })
  }
}

type InputSchema = NonNullable<ManifestOperation['inputSchema']>

async function compileAll(
  declared: readonly Pick<ManifestOperation, 'name' | 'inputSchema'>[],
  compile: (schema: InputSchema) => Promise<{ path: string }>,
): Promise<RunnerOperation[]> {
  return await Promise.all(
    declared.map(async ({ name, inputSchema }) => ({
      name,
      input_schema: inputSchema,
      input_validator: inputSchema === null ? null : (await compile(inputSchema)).path,
    })),
  )
}

function asOperation(message: RunnerOperation): RunnerOperation {
  return { ...message, name: messageOperation(message.name) }
}

function inputRulesOf(operations: readonly RunnerOperation[]): ReadonlyMap<string, InputRule> {
  return new Map(
    operations.flatMap(({ name, input_validator: validator, input_schema: schema }) =>
      validator === null || schema === null ? [] : [[name, { validator, schema }] as const],
    ),
  )
}

/** A module of JavaScript is of no use to it. */
function withoutValidator(operation: RunnerOperation): RunnerOperation {
  return { ...operation, input_validator: null }
}

/** Whose types may have to be stripped. */
function sourceOf({ type, entryPoint }: Manifest): string | null {
  return type === 'javascript' ? entryPoint : null
}
