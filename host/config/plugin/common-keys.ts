import { LOG_LEVELS, type LogLevel } from '../../../src/contract/execution.ts'
import { describeValue } from './describe-value.ts'

/** Keys that every plugin has, whether its schema speaks of them or not. */
export const COMMON_KEYS = ['enabled', 'log_level', 'verbose'] as const
export type CommonKey = (typeof COMMON_KEYS)[number]

export interface CommonConfig {
  readonly enabled: boolean
  /** Null where the file says none: the manifest's or the daemon's holds. */
  readonly logLevel: LogLevel | null
  readonly verbose: boolean
}

/** What acts is what the file says, where it is of the kind that acts: a schema may mean something else by a key. */
export function toCommonConfig(data: Readonly<Record<string, unknown>>): CommonConfig {
  return {
    enabled: data['enabled'] !== false,
    logLevel: LOG_LEVELS.find((level) => level === data['log_level']) ?? null,
    verbose: data['verbose'] === true,
  }
}

/** What is wrong with a common key that the plugin's schema does not speak of; null where nothing is. */
export function commonKeyProblem(key: CommonKey, value: unknown): { problem: string; remedy: string } | null {
  const found = describeValue(value, [key])
  if (key === 'log_level') {
    if (LOG_LEVELS.some((level) => level === value)) return null
    return {
      problem: `found ${found}, expected one of ${LOG_LEVELS.join(', ')}`,
      remedy: 'Change it, or remove it',
    }
  }
  if (typeof value === 'boolean') return null
  const remedy = `Change it, or remove it: the default is ${String(key === 'enabled')}`
  return { problem: `found ${found}, expected true or false`, remedy }
}
