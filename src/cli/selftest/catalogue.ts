import type { Probe } from './probe.ts'
import { EGRESS_PROBES } from './probes/egress.ts'
import { FILE_PROBES } from './probes/files.ts'
import { FOLDER_PROBES } from './probes/folders.ts'
import { KERNEL_PROBES } from './probes/kernel.ts'
import { LINK_PROBES } from './probes/links.ts'
import { MANIFEST_PROBES } from './probes/manifests.ts'
import { NETWORK_PROBES } from './probes/network.ts'
import { PROCESS_PROBES } from './probes/processes.ts'
import { PROGRAM_PROBES } from './probes/programs.ts'
import { RAW_KERNEL_PROBES } from './probes/raw-kernel.ts'
import { RESOURCE_PROBES } from './probes/resources.ts'
import { RUNTIME_PROBES } from './probes/runtime.ts'
import { WIRE_PROBES } from './probes/wire.ts'

/** Everything that is tried, in the order in which it is. */
export const PROBES: readonly Probe[] = [
  ...FILE_PROBES,
  ...LINK_PROBES,
  ...RUNTIME_PROBES,
  ...PROCESS_PROBES,
  ...PROGRAM_PROBES,
  ...KERNEL_PROBES,
  ...RAW_KERNEL_PROBES,
  ...NETWORK_PROBES,
  ...EGRESS_PROBES,
  ...RESOURCE_PROBES,
  ...WIRE_PROBES,
  ...MANIFEST_PROBES,
  ...FOLDER_PROBES,
]
