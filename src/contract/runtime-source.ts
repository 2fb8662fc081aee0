/** Who or what decided on which Node a daemon runs, in the order in which they are asked. */
export const RUNTIME_SOURCES = {
  variable: 'named by PHANTOM_RUNTIME',
  chosen: 'chosen by "phantom setup --runtime"',
  private_copy: 'the private copy that was fetched for this package',
  running: 'the Node that started it',
  checkout: "the checkout's pinned one",
  path: 'found on PATH',
} as const

export type RuntimeSource = keyof typeof RUNTIME_SOURCES
