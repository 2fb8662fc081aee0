import { join } from 'node:path'
import type { RunnerOperation } from '../../src/contract/runner-methods.ts'
import type { RunnablePlugin } from '../registry/plugin-record.ts'
import { stripTypeScript } from '../registry/strip-typescript.ts'
import type { SchemaCompiler } from '../validation/schema-compiler.ts'

/** What every instance of one generation shares, made once before the first. */
export interface PreparedPlugin {
  readonly config: Record<string, unknown>
  readonly operations: RunnerOperation[]
  /** A copy of the plugin with its types stripped, to stand in its place; null for JavaScript. */
  readonly overlayDir: string | null
}

/**
 * Compiles the schemas of a plugin, fills its configuration with defaults and strips its types.
 *
 * @throws PhantomError MANIFEST_INVALID, CONFIG_INVALID, PLUGIN_START_FAILED
 */
export async function preparePlugin(
  plugin: RunnablePlugin,
  powers: { compiler: SchemaCompiler; stateDirectory: string },
): Promise<PreparedPlugin> {
  const { manifest, directory } = plugin
  const operations = await Promise.all(
    manifest.operations.map(async ({ name, inputSchema }) => ({
      name,
      input_schema: inputSchema,
      input_validator: inputSchema === null ? null : (await powers.compiler.compileInput(inputSchema)).path,
    })),
  )
  return {
    config:
      manifest.configuration === null ? {} : await powers.compiler.configDefaults(manifest.configuration),
    operations,
    overlayDir: stripTypeScript(directory, manifest.entryPoint, join(powers.stateDirectory, 'stripped')),
  }
}
