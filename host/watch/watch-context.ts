import type { PluginFolder } from './plugin-folder.ts'

export type FolderReport = 'added' | 'changed' | 'removed'

/** What one plugin directory and its folders share with all others. */
export interface WatchContext {
  readonly debounceMs: number
  readonly maxWaitMs: number
  readonly pollIntervalMs: number
  /** By the directory that is reported. */
  readonly folders: Map<string, PluginFolder>
  /** Never rejects. */
  report(report: FolderReport, directory: string): Promise<void>
  problem(directory: string, error: unknown): void
  /** Keeps what closes slowly until the end. */
  closing(work: Promise<void>): void
}
