import type { Probe } from './probe.ts'
import { FILE_PROBES } from './probes/files.ts'
import { KERNEL_PROBES } from './probes/kernel.ts'
import { LINK_PROBES } from './probes/links.ts'
import { NETWORK_PROBES } from './probes/network.ts'
import { PROCESS_PROBES } from './probes/processes.ts'
import { RUNTIME_PROBES } from './probes/runtime.ts'

/** Everything that is tried, in the order in which it is. */
export const PROBES: readonly Probe[] = [
  ...FILE_PROBES,
  ...LINK_PROBES,
  ...RUNTIME_PROBES,
  ...PROCESS_PROBES,
  ...KERNEL_PROBES,
  ...NETWORK_PROBES,
]
