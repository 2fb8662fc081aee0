import type { Machine } from '../../host/sandbox/machine.ts'
import type { RunnerRequest } from '../../host/sandbox/plan-runner.ts'
import type { Policy } from '../../host/sandbox/policy.ts'
import { NO_CAPABILITIES } from '../../src/contract/manifest.ts'
import { SILENT_LIMITS } from '../../src/contract/manifest/silent-limits.ts'

/** What a plan is made of, without a machine or a plugin. */
export const MACHINE: Machine = {
  tier: 'namespace',
  nodePath: '/opt/node',
  uid: 1000,
  kernelRelease: '6.1.0-1-amd64',
  bwrapPath: '/usr/bin/bwrap',
  setprivPath: '/usr/bin/setpriv',
  prlimitPath: '/usr/bin/prlimit',
  hasBindFd: true,
  lastCapability: 40,
  seccompArch: 'x64',
  reasonNoNamespace: null,
  libraries: ['/lib/libc.so.6'],
  libraryFolders: [],
  programFolders: [
    { path: '/usr', linkTo: null },
    { path: '/bin', linkTo: 'usr/bin' },
  ],
  hostFiles: ['/proc/kallsyms'],
}
export const POLICY: Policy = {
  readPaths: [],
  writePaths: [],
  createPaths: [],
  hide: ['/ws/.phantom'],
  protect: ['/ws/plugins'],
  env: { TOKEN: 'secret' },
  network: [],
  process: false,
  permissions: [],
  notices: [],
}
export const REQUEST: RunnerRequest = {
  runnerDirectory: '/pkg',
  pluginDir: '/ws/plugins/a/mine',
  overlayDir: null,
  validatorDir: '/ws/.phantom/validators',
  workspace: '/ws',
  dataDir: '/ws/.phantom/data/mine',
  policy: POLICY,
  limits: { ...SILENT_LIMITS, maxMemoryMb: 100 },
  runtime: NO_CAPABILITIES,
  threads: 0,
  observe: false,
  isWasm: false,
  baseDataBytes: 500 * 1024 * 1024,
  hasEgress: false,
  identity: null,
  gate: null,
  program: null,
}
export const withPolicy = (policy: Partial<Policy>): RunnerRequest => ({
  ...REQUEST,
  policy: { ...POLICY, ...policy },
})
