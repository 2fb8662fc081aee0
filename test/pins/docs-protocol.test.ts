import { expect } from 'chai'
import * as limits from '../../src/contract/limits.ts'
import { METHOD_ROLES } from '../../src/contract/method-roles.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { SYSTEM_PARAMS, type SystemMethod } from '../../src/contract/system-methods.ts'
import { columnsOf, wordOf } from '../helpers/docs-pages.ts'
import { expectWords } from '../helpers/docs-words.ts'
import { interfaceMembers } from '../helpers/type-words.ts'

/** What the methods of contract System answer, by the file that declares it; each has a table of its fields. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  'src/contract/system-methods.ts': ['HandshakeResult', 'DaemonStatus', 'PluginValidation'],
  'src/contract/doctor-report.ts': ['DoctorReport'],
  'src/contract/messages.ts': ['SentMessage'],
  'src/contract/audit.ts': ['AuditRecord', 'AuditVerification'],
  'src/contract/plugin-info.ts': ['PluginSummary', 'PluginInfo'],
  'src/contract/execution.ts': ['PluginExecutionResult', 'PluginLogLine'],
  'src/contract/health.ts': [
    'PluginHealth',
    'CallFigures',
    'TimeFigures',
    'QueueFigures',
    'BreakerInfo',
    'SystemMetrics',
    'PluginMetrics',
    'HistoryEntry',
  ],
  'src/contract/attestation.ts': ['PluginAttestation', 'AttestationItem'],
  'src/contract/generations.ts': ['Incident', 'GenerationInfo', 'ReloadResult'],
  'src/contract/plugin-config.ts': [
    'PluginConfigInfo',
    'PluginConfigUpdate',
    'PluginConfigValidation',
    'PluginConfigRevision',
    'ConfigValue',
    'ConfigReload',
  ],
}

describe('docs/protocol.md', () => {
  const page = 'docs/protocol.md'
  const systemTypes = 'src/contract/system-methods.ts'
  const health = 'src/contract/health.ts'

  it('has every method of contract System', () =>
    expectWords(page, 'system-methods', Object.keys(SYSTEM_PARAMS)))

  it('has every param of every method, and which are required', () => {
    for (const method of Object.keys(SYSTEM_PARAMS) as SystemMethod[]) {
      const schema: { properties: object; required?: readonly string[] } = SYSTEM_PARAMS[method]
      if (Object.keys(schema.properties).length === 0) continue
      expectWords(page, `params ${method}`, Object.keys(schema.properties))
      const required = columnsOf(page, `params ${method}`).filter((cells) => cells[2] === 'yes')
      expect(
        required.map((cells) => wordOf(cells[0])),
        method,
      ).to.have.members([...(schema.required ?? [])])
    }
  })

  it('has every field of every answer', () => {
    for (const [file, names] of Object.entries(ANSWERS)) {
      for (const name of names) expectWords(page, name, interfaceMembers(file, name))
    }
    const figures = interfaceMembers(health, 'OperationFigures')
    expect(figures, 'those of CallFigures and its own').to.deep.equal(['operation'])
  })

  it('has the role of every method', () => {
    const documented = columnsOf(page, 'method-roles').map(([method, role]) => [wordOf(method), role])
    expect(documented).to.have.deep.members(Object.entries(METHOD_ROLES))
  })

  it('has every notification', () =>
    expectWords(page, 'notifications', interfaceMembers(systemTypes, 'SystemNotifications')))

  it('has every ceiling with its value', () => {
    const documented = columnsOf(page, 'limits').map(([name, value]) => [wordOf(name), Number(value)])
    expect(documented).to.have.deep.members(Object.entries(limits))
  })
})

describe('docs/runner-protocol.md', () => {
  const page = 'docs/runner-protocol.md'
  const types = 'src/contract/runner-methods.ts'

  it('has every method, notification and error of contract Runner', () => {
    expectWords(page, 'runner-methods', interfaceMembers(types, 'RunnerParams'))
    expectWords(page, 'runner-notifications', interfaceMembers(types, 'RunnerNotifications'))
    const errors = columnsOf(page, 'runner-errors').map(([name, code]) => [wordOf(name), Number(code)])
    expect(errors).to.have.deep.members(Object.entries(RUNNER_ERRORS))
  })

  it('has every param of initialize and execute', () => {
    expectWords(page, 'initialize', interfaceMembers(types, 'RunnerInitialize'))
    expectWords(page, 'execute', interfaceMembers(types, 'execute'))
    expectWords(page, 'message', interfaceMembers(types, 'message'))
  })
})
