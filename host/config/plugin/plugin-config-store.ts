import { join } from 'node:path'
import { isPluginId } from '../../../src/contract/manifest/parse-identity.ts'
import { messageOf, PhantomError } from '../../../src/contract/phantom-error.ts'
import type { PluginConfigRevision } from '../../../src/contract/plugin-config.ts'
import { configInvalid } from './config-invalid.ts'
import { ConfigRevisions } from './config-revisions.ts'
import { type ConfigFile, parseConfig } from './config-source.ts'
import { editConfigText } from './edit-document.ts'
import { readRegularFile } from './read-regular-file.ts'
import { PluginTurns } from '../../registry/plugin-turns.ts'
import { type FileIdentity, prepareFile, removeFile } from './write-whole.ts'

const MAX_CONFIG_BYTES = 1024 * 1024

export interface PluginConfigStoreOptions {
  /** Holds `<plugin_id>.yaml`; made by the first update. */
  readonly folder: string
  /** Holds `<plugin_id>/<n>.yaml`. */
  readonly revisionsFolder: string
  /** The time in ISO 8601, for revisions. */
  readonly now: () => string
}

export interface StoredConfig {
  readonly file: ConfigFile
  /** Null where there is no file. */
  readonly revision: number | null
  /** Why a change by hand could not be kept as a revision; null as a rule. */
  readonly warning: string | null
}

export interface WriteOptions {
  /** Refuses by throwing, `CONFIG_INVALID`. It must not ask this store for the same plugin: that would wait for ever. */
  readonly check: (candidate: ConfigFile) => Promise<void>
  /** Goes through all checks and writes nothing. */
  readonly dryRun?: boolean
}

export interface UpdateOptions extends WriteOptions {
  /** 0 where no file is expected. */
  readonly expectedRevision?: number
}

export interface WrittenConfig {
  readonly file: ConfigFile
  /** The newest before, of a dry run and where nothing was to be changed; 0 where there is none. */
  readonly revision: number
  readonly isChanged: boolean
}

interface Current extends StoredConfig {
  readonly identity: FileIdentity | null
}

/** Plugins' configuration files with their last revisions. What concerns one plugin happens one after the other. */
export class PluginConfigStore {
  readonly #options: PluginConfigStoreOptions
  readonly #turns = new PluginTurns()

  constructor(options: PluginConfigStoreOptions) {
    this.#options = options
  }

  pathOf(pluginId: string): string {
    if (isPluginId(pluginId)) return join(this.#options.folder, `${pluginId}.yaml`)
    throw new TypeError(
      `Cannot name a configuration file by ${JSON.stringify(pluginId)}: it is no id of a plugin`,
    )
  }

  /** Throws `CONFIG_INVALID` where the file cannot be read; what it says is for `computePluginConfig`. */
  async read(pluginId: string): Promise<StoredConfig> {
    return await this.#turns.take(pluginId, async () => await this.#current(pluginId))
  }

  /** Objects merge into objects, null takes a key away. Throws what `check` throws, and `CONFIG_CONFLICT`. */
  async update(
    pluginId: string,
    updates: Readonly<Record<string, unknown>>,
    options: UpdateOptions,
  ): Promise<WrittenConfig> {
    return await this.#turns.take(pluginId, async () => {
      const current = await this.#current(pluginId)
      assertExpected(pluginId, current.revision ?? 0, options.expectedRevision)
      const { source, issues } = parseConfig(current.file)
      if (source === null) throw configInvalid(pluginId, issues)
      const text = editConfigText(current.file.text ?? '', updates)
      return await this.#write(pluginId, current, { text, source: 'update', ...options })
    })
  }

  /** Writes an old text again, as a new revision. Throws `REVISION_NOT_FOUND`. */
  async rollback(pluginId: string, revision: number, options: WriteOptions): Promise<WrittenConfig> {
    return await this.#turns.take(pluginId, async () => {
      const current = await this.#current(pluginId)
      const revisions = this.#revisionsOf(pluginId)
      const wanted = await revisions.read(revision)
      if (wanted === null) throw revisionNotFound(pluginId, revision, await revisions.list())
      return await this.#write(pluginId, current, {
        text: wanted.text,
        source: `rollback to ${revision}`,
        ...options,
      })
    })
  }

  /** Puts back what stood before a write, as a new revision. What somebody has saved since then stays. */
  async restore(pluginId: string, before: StoredConfig, written: WrittenConfig): Promise<void> {
    await this.#turns.take(pluginId, async () => {
      const current = await this.#current(pluginId)
      if (current.file.text !== written.file.text) return
      const { text } = before.file
      const source = `rollback to ${before.revision ?? 0}`
      if (text === null) await this.#remove(pluginId, source)
      else await this.#write(pluginId, current, { text, source, check: async () => undefined })
    })
  }

  /** At most 20, the newest first. */
  async history(pluginId: string): Promise<PluginConfigRevision[]> {
    return await this.#turns.take(pluginId, async () => {
      await this.#current(pluginId)
      return await this.#revisionsOf(pluginId).list()
    })
  }

  async #write(
    pluginId: string,
    current: Current,
    { text, source, check, dryRun = false }: WriteOptions & { text: string; source: string },
  ): Promise<WrittenConfig> {
    const file = { path: current.file.path, text }
    assertSize(pluginId, text)
    await check(file)
    const isChanged = text !== (current.file.text ?? '')
    if (dryRun || !isChanged) return { file, revision: current.revision ?? 0, isChanged }
    await this.#assertUnchanged(pluginId, current)
    const revisions = this.#revisionsOf(pluginId)
    // Both are on the disk before either counts. Killed in between, the next read finds the text and keeps it.
    const next = await revisions.prepare({ at: this.#options.now(), source, text })
    try {
      const written = await prepareFile(file.path, text, current.identity)
      await written.commit()
    } catch (error) {
      await next.file.discard()
      throw error
    }
    await next.file.commit()
    await revisions.prune()
    return { file, revision: next.revision, isChanged }
  }

  /** Its revision is an empty text. */
  async #remove(pluginId: string, source: string): Promise<void> {
    const revisions = this.#revisionsOf(pluginId)
    const next = await revisions.prepare({ at: this.#options.now(), source, text: '' })
    try {
      await removeFile(this.pathOf(pluginId))
    } catch (error) {
      await next.file.discard()
      throw error
    }
    await next.file.commit()
    await revisions.prune()
  }

  /** A change by hand becomes a revision when it is seen. */
  async #current(pluginId: string): Promise<Current> {
    const { file, identity } = await this.#readFile(pluginId)
    const revisions = this.#revisionsOf(pluginId)
    const newest = await revisions.newest()
    const isSeen = (newest?.text ?? '') === (file.text ?? '') && (newest !== null || file.text === null)
    if (isSeen)
      return {
        file,
        identity,
        revision: file.text === null ? null : (newest?.revision ?? null),
        warning: null,
      }
    try {
      const next = await revisions.prepare({ at: this.#options.now(), source: 'file', text: file.text ?? '' })
      await next.file.commit()
      await revisions.prune()
      return { file, identity, revision: file.text === null ? null : next.revision, warning: null }
    } catch (error) {
      // A full disk must not keep a plugin from starting with a file that can be read.
      return { file, identity, revision: newest?.revision ?? null, warning: messageOf(error) }
    }
  }

  async #readFile(pluginId: string): Promise<{ file: ConfigFile; identity: FileIdentity | null }> {
    const path = this.pathOf(pluginId)
    const read = await readRegularFile(path, MAX_CONFIG_BYTES)
    if (!('problem' in read)) {
      const { text, ...identity } = read
      return { file: { path, text }, identity }
    }
    if (read.isMissing) return { file: { path, text: null }, identity: null }
    const message = `Cannot read "${path}": ${read.problem}. Make it a readable text file, or remove it`
    throw new PhantomError('CONFIG_INVALID', message, { details: { path } })
  }

  /** The check may ask the plugin, which takes its time, and an editor may save meanwhile. */
  async #assertUnchanged(pluginId: string, before: Current): Promise<void> {
    const { file } = await this.#readFile(pluginId)
    if (file.text === before.file.text) return
    const message = `Cannot write "${file.path}": it was changed by somebody else meanwhile. Do it again`
    throw new PhantomError('CONFIG_CONFLICT', message, { details: { path: file.path } })
  }

  #revisionsOf(pluginId: string): ConfigRevisions {
    return new ConfigRevisions(join(this.#options.revisionsFolder, pluginId))
  }
}

function assertExpected(pluginId: string, revision: number, expected: number | undefined): void {
  if (expected === undefined || expected === revision) return
  const message = `Cannot configure "${pluginId}": revision ${revision} is the newest, expected ${expected}`
  throw new PhantomError(
    'CONFIG_CONFLICT',
    `${message}. Read the configuration again and repeat the update`,
    {
      details: { plugin_id: pluginId, revision, expected_revision: expected },
    },
  )
}

function assertSize(pluginId: string, text: string): void {
  const size = Buffer.byteLength(text)
  if (size <= MAX_CONFIG_BYTES) return
  const message = `Cannot configure "${pluginId}": the file would have ${size} bytes, at most ${MAX_CONFIG_BYTES} are allowed`
  throw new PhantomError('CONFIG_INVALID', `${message}. Shorten it`, {
    details: { plugin_id: pluginId, size },
  })
}

function revisionNotFound(
  pluginId: string,
  revision: number,
  kept: readonly PluginConfigRevision[],
): PhantomError {
  const numbers = kept.map(({ revision: number }) => number)
  const known = numbers.length === 0 ? 'There are none yet' : `Use one of ${numbers.join(', ')}`
  const message = `Cannot go back to revision ${revision} of the configuration of "${pluginId}": it is not kept. ${known}`
  return new PhantomError('REVISION_NOT_FOUND', message, {
    details: { plugin_id: pluginId, revision, kept: numbers },
  })
}
