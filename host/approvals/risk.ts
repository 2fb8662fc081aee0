import os from 'node:os'
import type { RightRisk } from '../../src/contract/permissions-info.ts'
import { refusalOfAddress } from '../egress/address-class.ts'
import { canonicalHost } from '../egress/canonical-host.ts'
import { wideReasonOf } from '../sandbox/wide-path.ts'
import { isAddress, splitHost, type Capability, type Right } from './right.ts'

export interface Assessment {
  /** `high` is a wide grant: only a person approves it. */
  readonly risk: RightRisk
  /** For whoever approves it. */
  readonly sentence: string
}

/** Where projects keep tokens and passwords. */
const SECRET_FILE = /\/\.(?:env|npmrc|pypirc)(?:\.[^/]+)?$/
/** `*.com`, and `*.co.uk`, are as good as every host: anybody gets a name there. */
const PUBLIC_SUFFIX = /^\*\.(?:(?:ac|co|com|edu|gov|net|or|org)\.[a-z]{2}|[^.]+)$/
const SECRET_VARIABLE = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH/i

const CAPABILITY_RISKS: Readonly<Record<Capability, Assessment>> = {
  eval: { risk: 'medium', sentence: 'makes code from text while it runs' },
  sqlite: {
    risk: 'medium',
    sentence: "opens SQLite databases past Node's own permission checks: the kernel's walls alone hold it",
  },
  addons: {
    risk: 'high',
    sentence:
      "loads machine code into its process, past all of Node's checks: the kernel's walls alone hold it",
  },
  inspector: { risk: 'high', sentence: 'opens a debugger in its process, which reads and changes all in it' },
  ffi: {
    risk: 'high',
    sentence: "calls machine code directly, past all of Node's checks: the kernel's walls alone hold it",
  },
}

/** What a right means, as a sentence about the plugin, and how much harm it can do. */
export function assess({ kind, value }: Right): Assessment {
  switch (kind) {
    case 'fs_read':
    case 'fs_write':
      return assessPath(kind, value)
    case 'network':
      return assessHost(value)
    case 'env':
      return SECRET_VARIABLE.test(value)
        ? { risk: 'medium', sentence: `knows the value of ${value}, which looks like a secret` }
        : { risk: 'low', sentence: `knows the value of ${value}` }
    case 'process':
      return {
        risk: 'high',
        sentence: 'starts programs, each with all that the plugin may do and none of the checks inside Node',
      }
    case 'runtime':
      return CAPABILITY_RISKS[value as Capability]
  }
}

function assessPath(kind: 'fs_read' | 'fs_write', value: string): Assessment {
  const verb = kind === 'fs_read' ? 'reads' : 'reads, changes and deletes'
  if (value.startsWith('/')) {
    const wide = wideReasonOf(kind, value) ?? (isHiddenInHome(value) ? HIDDEN_IN_HOME : null)
    if (wide !== null) return { risk: 'high', sentence: `${verb} "${value}" and all below it: ${wide}` }
    return { risk: 'medium', sentence: `${verb} "${value}" and all below it, in every workspace` }
  }
  const [variable = '', ...rest] = value.split('/')
  const below = rest.join('/')
  if (variable === '${workspace}') {
    const what = below === '' ? 'all of the workspace' : `"${below}" in the workspace and all below it`
    if (SECRET_FILE.test(value))
      return { risk: 'medium', sentence: `${verb} ${what}, which looks like secrets` }
    return { risk: kind === 'fs_read' ? 'low' : 'medium', sentence: `${verb} ${what}` }
  }
  const place = variable === '${data_dir}' ? 'its own data folder' : 'its own folder'
  return { risk: 'low', sentence: `${verb} ${below === '' ? place : `"${below}" in ${place}`}` }
}

/** By which a plugin would have its code run outside of its sandbox, or know what opens other doors. */
const HIDDEN_IN_HOME = 'settings and keys of a home folder, and what shells and desktops start from'

function isHiddenInHome(path: string): boolean {
  if (/^(?:\/home\/[^/]+|\/root)\/\./.test(path)) return true
  try {
    return path.startsWith(`${os.homedir()}/.`)
  } catch {
    // A uid without an account has no home.
    return false
  }
}

/** What an address is that no name leads to; null for one of the public internet. */
function specialAddress(host: string): string | null {
  const canonical = canonicalHost(host)
  return 'refused' in canonical ? canonical.refused : (refusalOfAddress(canonical)?.what ?? null)
}

function assessHost(value: string): Assessment {
  const { host, ports } = splitHost(value)
  const where = `on port ${ports.join(' and ')}`
  if (host === '*' || PUBLIC_SUFFIX.test(host)) {
    return {
      risk: 'high',
      sentence: `connects to every host ${host === '*' ? 'of the internet' : `below ${host.slice(2)}`} ${where}: what it reads it can send anywhere`,
    }
  }
  const special = isAddress(host) ? specialAddress(host) : null
  if (special !== null) {
    return {
      risk: 'high',
      sentence: `connects to ${host} ${where}: ${special}, no place in the public internet`,
    }
  }
  const which = host.startsWith('*.') ? `every host below ${host.slice(2)}` : host
  return { risk: 'medium', sentence: `connects to ${which} ${where}, and can send there what it reads` }
}
