import type { SourcePlace } from '../../../src/contract/manifest/key-locator.ts'
import { configField } from './config-field.ts'
import type { ConfigSource } from './config-source.ts'
import { isTree, mergeConfig } from './merge-config.ts'

const FROM_SCHEMA = 'default of plugin.toml'
const ENVIRONMENTS = 'environments'

/** A file as one environment sees it: its keys with the overlay over them, and where each stands. */
export class LayeredConfig {
  readonly data: Readonly<Record<string, unknown>>
  readonly #source: ConfigSource
  readonly #overlay: readonly string[]

  constructor(source: ConfigSource, environment: string, overlay: Readonly<Record<string, unknown>>) {
    const { [ENVIRONMENTS]: _environments, ...base } = source.data
    this.data = mergeConfig(base, overlay)
    this.#source = source
    this.#overlay = [ENVIRONMENTS, environment]
  }

  placeOf(path: readonly string[], part: 'key' | 'value'): SourcePlace & { file: string } {
    return { file: this.#source.path, ...this.#source.placeOf(this.#pathInFile(path), part) }
  }

  /** With `environments.production` before it where the overlay decides. */
  fieldOf(path: readonly string[]): string {
    return configField(this.#pathInFile(path))
  }

  valueAt(path: readonly string[]): unknown {
    let value: unknown = this.data
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
      value = (value as Record<string, unknown>)[step]
    }
    return value
  }

  /** One entry for each value that is no map, a list being one value. */
  originsOf(effective: Readonly<Record<string, unknown>>): Record<string, string> {
    const origins: [string, string][] = []
    const visit = (value: unknown, path: readonly string[]): void => {
      if (isTree(value) && (path.length === 0 || Object.keys(value).length > 0)) {
        for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key])
      } else origins.push([configField(path), this.#originOf(path)])
    }
    visit(effective, [])
    return Object.fromEntries(origins)
  }

  #originOf(path: readonly string[]): string {
    if (this.valueAt(path) === undefined) return FROM_SCHEMA
    const { file, line, column } = this.placeOf(path, 'key')
    return `${file}:${line}:${column}`
  }

  /** In the overlay where it goes as far into the path as the base does, or further. */
  #pathInFile(path: readonly string[]): readonly string[] {
    const inOverlay = [...this.#overlay, ...path]
    const depth = this.#source.depthOf(inOverlay) - this.#overlay.length
    return depth > 0 && depth >= this.#source.depthOf(path) ? inOverlay : path
  }
}
