/** Where the runner's own files lie inside a sandbox: the one folder there that no host path stands for. */
export const RUNNER_ROOT = '/.phantom-runner'

export const NODE_INSIDE = `${RUNNER_ROOT}/node`
export const ENTRY_INSIDE = `${RUNNER_ROOT}/enter`
/** What the build made for runners: one folder, so one mount, however many files are in it. */
export const RUNNER_INSIDE = `${RUNNER_ROOT}/runner`
export const MAIN_NAME = 'main.cjs'
