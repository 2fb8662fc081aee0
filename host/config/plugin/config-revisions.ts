import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PluginConfigRevision } from '../../../src/contract/plugin-config.ts'
import { isTree } from './merge-config.ts'
import { readRegularFile } from './read-regular-file.ts'
import { type PreparedFile, prepareFile } from './write-whole.ts'

const KEPT_REVISIONS = 20
/** A configuration, and the line above it. */
const MAX_REVISION_BYTES = 1024 * 1024 + 4096
/** First line of each file; a comment, so that the file is YAML by itself. */
const HEADER = '# phantom '
const FILE_NAME = /^([1-9]\d{0,14})\.yaml$/

/** The last texts of one plugin's configuration, `<folder>/<n>.yaml`; numbers are never used again. */
export class ConfigRevisions {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async newest(): Promise<PluginConfigRevision | null> {
    for (const revision of await this.#numbers()) {
      const read = await this.read(revision)
      if (read !== null) return read
    }
    return null
  }

  /** The newest first; files that are no revisions are passed over. */
  async list(): Promise<PluginConfigRevision[]> {
    const numbers = (await this.#numbers()).slice(0, KEPT_REVISIONS)
    const revisions = await Promise.all(numbers.map((revision) => this.read(revision)))
    return revisions.filter((revision) => revision !== null)
  }

  async read(revision: number): Promise<PluginConfigRevision | null> {
    const file = await readRegularFile(this.#pathOf(revision), MAX_REVISION_BYTES)
    if ('problem' in file || !file.text.startsWith(HEADER)) return null
    const end = file.text.indexOf('\n')
    const header = parseHeader(file.text.slice(HEADER.length, end))
    return end === -1 || header === null ? null : { revision, ...header, text: file.text.slice(end + 1) }
  }

  /** Written and on the disk; it counts once it is committed. */
  async prepare(
    entry: Omit<PluginConfigRevision, 'revision'>,
  ): Promise<{ revision: number; file: PreparedFile }> {
    const [highest = 0] = await this.#numbers()
    const revision = highest + 1
    const header = `${HEADER}${JSON.stringify({ at: entry.at, source: entry.source })}\n`
    return { revision, file: await prepareFile(this.#pathOf(revision), header + entry.text, null) }
  }

  async prune(): Promise<void> {
    const old = (await this.#numbers()).slice(KEPT_REVISIONS)
    // One that stays is in nobody's way, and is tried again with the next revision.
    await Promise.allSettled(old.map((revision) => rm(this.#pathOf(revision), { force: true })))
  }

  #pathOf(revision: number): string {
    return join(this.#folder, `${revision}.yaml`)
  }

  /** The highest first. */
  async #numbers(): Promise<number[]> {
    const names = await readdir(this.#folder).catch(() => [])
    return names
      .flatMap((name) => Number(FILE_NAME.exec(name)?.[1] ?? []))
      .filter((n) => n > 0)
      .toSorted((a, b) => b - a)
  }
}

function parseHeader(json: string): { at: string; source: string } | null {
  try {
    const header: unknown = JSON.parse(json)
    if (!isTree(header)) return null
    const { at, source } = header
    return typeof at === 'string' && typeof source === 'string' ? { at, source } : null
  } catch {
    return null
  }
}
