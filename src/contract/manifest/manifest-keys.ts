/** Every section of `plugin.toml` and its keys; null where the author names the keys. */
export const MANIFEST_KEYS = {
  plugin: ['id', 'name', 'version', 'type', 'author', 'description', 'entry_point', 'license', 'homepage'],
  dependencies: null,
  plugin_dependencies: null,
  permissions: ['permissions'],
  resource_limits: [
    'max_memory_mb',
    'max_execution_time_ms',
    'max_cpu_time_ms',
    'max_cpu_percent',
    'max_open_files',
    'max_processes',
    'max_file_size_mb',
    'max_disk_mb',
    'max_output_bytes',
    'max_network_connections',
    'max_network_bytes',
    'max_network_requests',
    'max_calls_per_second',
  ],
  runtime: [
    'concurrency',
    'threads',
    'eval',
    'addons',
    'sqlite',
    'inspector',
    'ffi',
    'log_level',
    'activation',
    'idle_timeout_ms',
    'standby',
    'exclusive',
    'max_queued_calls',
  ],
  restart: ['shutdown_ms', 'policy', 'intensity', 'period_ms'],
  tags: ['tags'],
  operations: ['name', 'description', 'input_schema', 'output_schema', 'idempotent', 'timeout_ms'],
  messages: ['type', 'description', 'from', 'input_schema'],
  configuration: null,
} as const

export type ManifestSection = keyof typeof MANIFEST_KEYS

export const MANIFEST_SECTIONS = Object.keys(MANIFEST_KEYS) as readonly ManifestSection[]

/** Sections that are arrays of tables, `[[tags]]`. */
const LIST_SECTIONS: readonly ManifestSection[] = ['tags', 'operations', 'messages']

/** `[runtime]`, `[[operations]]`. */
export function sectionHeader(section: ManifestSection): string {
  return LIST_SECTIONS.includes(section) ? `[[${section}]]` : `[${section}]`
}

/** The header of the one section that knows this key, or null where none does or several do. */
export function homeOfKey(key: string): string | null {
  const homes = MANIFEST_SECTIONS.filter((section) => MANIFEST_KEYS[section]?.some((known) => known === key))
  const [home] = homes
  return homes.length === 1 && home !== undefined ? sectionHeader(home) : null
}
