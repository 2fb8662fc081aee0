/** Where the runner's own files lie inside a sandbox: the one folder there that no host path stands for. */
export const RUNNER_ROOT = '/.phantom-runner'

export const NODE_INSIDE = `${RUNNER_ROOT}/node`
export const SETPRIV_INSIDE = `${RUNNER_ROOT}/setpriv`
export const PRLIMIT_INSIDE = `${RUNNER_ROOT}/prlimit`
export const MAIN_INSIDE = `${RUNNER_ROOT}/main.cjs`
export const SDK_INSIDE = `${RUNNER_ROOT}/sdk.mjs`
