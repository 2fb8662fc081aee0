import type { LearnedPermissions } from '../../src/contract/learned-permissions.ts'
import { isLoaderVariable, parsePermission, type Permission } from '../../src/contract/permission.ts'
import type { Access } from '../denials/access.ts'
import { anchored, covers, describeDenial, resourceOf, type Reach } from '../denials/denial.ts'
import { isSecretName } from '../secrets/secret-forms.ts'
import { learnFiles, type Look } from './learn-files.ts'
import type { ObservedPlugin } from './observations.ts'

export interface Surroundings {
  readonly look: Look
  /** Whether the daemon has a value for a variable. */
  readonly isSet: (name: string) => boolean
}

type Draft = Pick<LearnedPermissions, 'permissions' | 'runtime' | 'notes'>

/** The smallest manifest that would do for what a plugin was seen to reach for. */
export function learnPermissions(
  { reach, accesses, isCut }: ObservedPlugin,
  surroundings: Surroundings,
): Omit<LearnedPermissions, 'plugin_id' | 'mode'> {
  const seen = [...accesses.values()]
  const all = seen.map(({ access }) => access).filter((access) => !isOurs(access, reach))
  const files = learnFiles(all, reach, surroundings.look)
  const fromFiles: readonly Access[] = [
    ...files.reads.map((path) => ({ kind: 'fs_read', path }) as const),
    ...files.writes.map((path) => ({ kind: 'fs_write', path }) as const),
  ]
  const needed = [...fromFiles, ...learnNetwork(all), ...learnProcess(all), ...learnFeatures(all)]
  const draft = draftOf(needed, reach)
  const environment = learnEnvironment(all, surroundings)
  const permissions = [...draft.permissions, ...environment.permissions]
  return {
    permissions,
    runtime: draft.runtime,
    to_add: {
      permissions: permissions.filter((text) => !isDeclared(text, reach)),
      runtime: draft.runtime.filter((key) => reach.runtime[key as keyof Reach['runtime']] !== true),
    },
    unused: reach.declared
      .filter((declared) => !all.some((access) => covers(declared, access, reach)))
      .map(({ declared }) => declared),
    notes: [
      ...draft.notes,
      ...environment.notes,
      ...files.notes,
      ...(isCut ? ['It reached for more than is kept of it'] : []),
    ],
    observed: seen.map(({ access, times }) => ({ kind: access.kind, resource: resourceOf(access), times })),
  }
}

/** The way to the proxy of a plugin that has some network: that is how it is held, not where it goes. */
function isOurs(access: Access, reach: Reach): boolean {
  return (
    access.kind === 'network' &&
    reach.network.length > 0 &&
    /^(?:127\.0\.0\.1|::1|localhost)$/.test(access.host)
  )
}

function draftOf(needed: readonly Access[], reach: Reach): Draft {
  const draft: Draft = { permissions: [], runtime: [], notes: [] }
  for (const access of needed) {
    const { details, sentence } = describeDenial(access, reach)
    if (access.kind === 'runtime' && details.manifest_line !== null) draft.runtime.push(access.feature)
    else if (details.missing.length > 0) draft.permissions.push(...details.missing)
    else draft.notes.push(sentence)
  }
  return { ...draft, permissions: [...new Set(draft.permissions)], runtime: [...new Set(draft.runtime)] }
}

/** A host alone is what a look-up tells of; where it is known with its port, that says more. */
function learnNetwork(accesses: readonly Access[]): Access[] {
  const network = accesses.filter((access) => access.kind === 'network')
  return network.filter(
    ({ host, port }) =>
      host !== '' && (port !== null || !network.some((other) => other.host === host && other.port !== null)),
  )
}

function learnProcess(accesses: readonly Access[]): Access[] {
  return accesses.filter(({ kind }) => kind === 'process').slice(0, 1)
}

function learnFeatures(accesses: readonly Access[]): Access[] {
  const features = accesses.filter((access) => access.kind === 'runtime')
  // Node asks for the inspector by itself where a thread begins.
  const hasThreads = features.some(({ feature }) => feature === 'threads')
  return features.filter(({ feature }) => !hasThreads || feature !== 'inspector')
}

/** Node and its libraries look at many variables; those that are set nowhere would give nothing. */
function learnEnvironment(
  accesses: readonly Access[],
  { isSet }: Surroundings,
): { permissions: string[]; notes: string[] } {
  const names = accesses
    .flatMap((access) => (access.kind === 'env' ? [access.name] : []))
    .filter((name) => isSecretName(name) && !isLoaderVariable(name))
  const set = names.filter((name) => isSet(name)).toSorted()
  const unset = names.filter((name) => !isSet(name)).toSorted()
  return {
    permissions: set.length === 0 ? [] : [`env:${set.join(',')}`],
    notes: unset.map((name) => `the variable ${name} was looked for and is set nowhere`),
  }
}

function isDeclared(text: string, reach: Reach): boolean {
  const permission = parsePermission(text)
  if ('error' in permission) return false
  return accessesOf(permission, reach).every((access) =>
    reach.declared.some((declared) => covers(declared, access, reach)),
  )
}

function accessesOf(permission: Permission, reach: Reach): Access[] {
  switch (permission.kind) {
    case 'fs_read':
    case 'fs_write':
      return [{ kind: permission.kind, path: anchored(permission.path, reach) }]
    case 'network':
      return permission.hosts.map((rule) => {
        const [, host = rule, port] = /^(.*?)(?::(\d+))?$/.exec(rule) ?? []
        return { kind: 'network', host, port: port === undefined ? null : Number(port) }
      })
    case 'env':
      return permission.variables.map((name) => ({ kind: 'env', name }))
    case 'process':
      return [{ kind: 'process', program: '' }]
  }
}
