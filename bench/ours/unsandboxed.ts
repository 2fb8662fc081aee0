/** Floor of what the kernel's walls cost a call: the same without namespaces and without a filter of system calls. */
import { phantomAs } from './phantom.ts'

// Names no bubblewrap, so that the daemon finds none: tier `process`. This process is one design's alone.
process.env['PHANTOM_BWRAP'] = ''

export const design = phantomAs('unsandboxed')
