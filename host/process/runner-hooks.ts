import type { ReportedHealth } from '../../src/contract/health.ts'
import { RUNNER_HOOKS, type RunnerHook, type RunnerParams } from '../../src/contract/runner-methods.ts'
import { MAX_PLUGIN_TEXT_CHARS } from '../../src/contract/limits.ts'
import type { Answer } from '../../src/rpc/connection.ts'
import { escapeControl } from '../observe/escape-control.ts'
import { boundedReport } from './plugin-report.ts'
import type { InstanceConfig } from './instance-spec.ts'
import type { RunnerInstance } from './runner-instance.ts'

/** What the plugin's own `health()` says, or how it failed; both null when it has none, or says nothing in time. */
export async function askHealth(
  instance: RunnerInstance,
  timeoutMs: number,
): Promise<Pick<ReportedHealth, 'health' | 'problem'>> {
  const isAsked = instance.state === 'ready' && instance.hasHook('health')
  const answer = isAsked ? await instance.call('health', {}, timeoutMs) : null
  // Who says nothing may be at work; the liveness check sees who is not.
  if (answer === null) return { health: null, problem: null }
  if (answer.error !== null)
    return { health: null, problem: problemOf(instance, 'health', answer, timeoutMs) }
  return { health: boundedReport((answer.result as { health?: unknown } | null)?.health), problem: null }
}

/** False when its loop did not come round in time. */
export async function isResponsive(instance: RunnerInstance, timeoutMs: number): Promise<boolean> {
  return (await instance.call('ping', {}, timeoutMs)) !== null
}

/** The plugin's words against a configuration; null when it has none, or no say. */
export async function askVeto(
  instance: RunnerInstance,
  config: Record<string, unknown>,
  timeoutMs: number,
): Promise<string | null> {
  if (!instance.hasHook('validate_config')) return null
  const answer = await instance.call('validate_config', { config }, timeoutMs)
  const problem = problemOf(instance, 'validate_config', answer, timeoutMs)
  if (answer === null || answer.error !== null) return problem
  const veto = (answer.result as { veto?: unknown } | null)?.veto
  return typeof veto === 'string' ? escapeControl(veto.slice(0, MAX_PLUGIN_TEXT_CHARS)) : null
}

/** Why an answer of a hook is none, in words; null where it is one. */
export function problemOf(
  instance: RunnerInstance,
  hook: RunnerHook,
  answer: Answer | null,
  timeoutMs: number,
): string | null {
  if (answer === null) return `its ${hook}() did not answer within ${timeoutMs} ms`
  if (answer.error === null) return null
  if (instance.state === 'stopped' || !instance.canTakeCall) return `its process ended in ${hook}()`
  return `its ${hook}() failed: ${escapeControl(answer.error.message.slice(0, MAX_PLUGIN_TEXT_CHARS))}`
}

/** False when only a new process can have it. */
export async function configure(
  instance: RunnerInstance,
  configuration: InstanceConfig,
  timeoutMs: number,
): Promise<boolean> {
  const answer = await instance.call('configure', configuration, timeoutMs)
  if (answer === null || answer.error !== null) return false
  return (answer.result as { applied?: unknown } | null)?.applied === true
}

/** Tells the plugin that a reload is near, or came to nothing. */
export async function tellReload(
  instance: RunnerInstance,
  hook: 'quiesce' | 'resume',
  timeoutMs: number,
): Promise<void> {
  await ask(instance, hook, {}, timeoutMs)
}

/** What the next generation gets; undefined when the plugin exports nothing. */
export async function exportState(instance: RunnerInstance, timeoutMs: number): Promise<unknown> {
  const answer = await ask(instance, 'export_state', {}, timeoutMs)
  return (answer as { state?: unknown } | null)?.state
}

/** Null when the plugin has no such hook, when it fails, and when it does not answer in time. */
async function ask<H extends RunnerHook>(
  instance: RunnerInstance,
  hook: H,
  params: RunnerParams[H],
  timeoutMs: number,
): Promise<unknown> {
  if (instance.state !== 'ready' || !instance.hasHook(hook)) return null
  const answer = await instance.call(hook, params, timeoutMs)
  return answer === null || answer.error !== null ? null : (answer.result ?? {})
}

/** What a hostile process lists as its hooks. */
export function hooksIn(value: unknown): ReadonlySet<RunnerHook> {
  return new Set(Array.isArray(value) ? RUNNER_HOOKS.filter((hook) => value.includes(hook)) : [])
}
