/** What a plugin can be refused: the kinds of permission, and `runtime` for what `[runtime]` of a manifest opens. */
export const DENIAL_KINDS = ['fs_read', 'fs_write', 'network', 'env', 'process', 'runtime'] as const
export type DenialKind = (typeof DENIAL_KINDS)[number]

/** How often each was refused since the daemon's start. */
export type DenialCounts = Record<DenialKind, number>

/** `details` of a `PERMISSION_DENIED` that is about what a plugin reached for. */
export interface DenialDetails {
  /** The exact permission strings that are not granted; empty where no permission would do. */
  readonly missing: readonly string[]
  readonly kind: DenialKind
  /** What it reached for: an absolute path, a host, a program, a feature of the runtime. */
  readonly resource: string
  /** The whole line as it would stand in plugin.toml, and the table that it stands in; null where none would do. */
  readonly manifest_line: string | null
  readonly manifest_table: 'permissions' | 'runtime' | null
}
