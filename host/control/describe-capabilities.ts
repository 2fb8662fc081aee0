import type { PermissionInfo } from '../../src/contract/plugin-info.ts'
import type { RightsVerdict } from '../approvals/judge-rights.ts'
import { capabilitiesOf, rightText, type Capability } from '../approvals/right.ts'
import { assess } from '../approvals/risk.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'

/** What `[runtime]` of its manifest opens of Node, beside its permissions. */
export function describeCapabilities(
  { current, manifest }: PluginRecord,
  verdict: RightsVerdict | null,
): PermissionInfo[] {
  const held = current === null ? [] : capabilitiesOf(current.runtime)
  return (manifest === null ? [] : capabilitiesOf(manifest.runtime)).map((name) =>
    held.includes(name) ? describeHeld(name) : describeRefused(name, verdict),
  )
}

function describeHeld(name: Capability): PermissionInfo {
  return {
    declared: declaredAs(name),
    effective: assess({ kind: 'runtime', value: name }).sentence,
    mechanism:
      name === 'eval' ? 'node --permission and the walls' : 'the walls alone: namespaces and seccomp',
    refused: null,
  }
}

function describeRefused(name: Capability, verdict: RightsVerdict | null): PermissionInfo {
  const text = rightText({ kind: 'runtime', value: name })
  const judged = verdict?.rights.find(({ right }) => rightText(right) === text)
  const refused = judged?.refused ?? 'the plugin is blocked'
  return { declared: declaredAs(name), effective: null, mechanism: null, refused }
}

function declaredAs(name: Capability): string {
  return `runtime.${name} = true`
}
