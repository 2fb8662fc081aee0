import { readFileSync } from 'node:fs'
import type { Rlimits } from '../rlimits.ts'
import type { Compared } from './compared.ts'
import type { Expected } from './expected.ts'
import { parseLimits, type KernelLimit } from './parse-proc.ts'
import type { Reading } from './read-facts.ts'

const KERNEL_NAMES: Readonly<Record<keyof Rlimits, string>> = {
  data: 'Max data size',
  nofile: 'Max open files',
  nproc: 'Max processes',
  fsize: 'Max file size',
  core: 'Max core file size',
  stack: 'Max stack size',
}

export function compareLimits({ rlimits }: Expected, text: Reading<string>): Compared[] {
  if (rlimits === null) return []
  const limits = 'value' in text ? parseLimits(text.value) : null
  const names = Object.keys(KERNEL_NAMES) as (keyof Rlimits)[]
  return names.flatMap((name) => {
    const declared = rlimits[name]
    if (declared === null) return []
    const limit = limits?.get(KERNEL_NAMES[name])
    const missing = 'unreadable' in text ? text.unreadable : `it has no "${KERNEL_NAMES[name]}"`
    return {
      name: `rlimit.${name}`,
      declared: String(declared),
      mechanism: 'rlimit',
      file: 'limits',
      found:
        limit === undefined
          ? missing
          : { effective: limitWords(limit), holds: limit.soft === declared && limit.hard === declared },
    }
  })
}

/** Those of a running process that are not as they are wanted; all where it cannot be looked at. */
export function differingLimits(pid: number, wanted: Rlimits): (keyof Rlimits)[] {
  const names = (Object.keys(KERNEL_NAMES) as (keyof Rlimits)[]).filter((name) => wanted[name] !== null)
  try {
    const limits = parseLimits(readFileSync(`/proc/${pid}/limits`, 'utf8'))
    return names.filter((name) => {
      const found = limits.get(KERNEL_NAMES[name])
      return found?.soft !== wanted[name] || found.hard !== wanted[name]
    })
  } catch {
    // EACCES, or it is gone: who sets them says which.
    return names
  }
}

function limitWords({ soft, hard }: KernelLimit): string {
  const word = (limit: number): string => (limit === Infinity ? 'unlimited' : String(limit))
  return soft === hard ? word(soft) : `${word(soft)}, which it may raise to ${word(hard)}`
}
