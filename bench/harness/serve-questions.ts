import type { Handlers, Question, Reply } from './questions.ts'

const EXIT_SIGNALLED = 130

/**
 * Answers the bench on the IPC channel, one question after another, until `close` was answered. When the bench
 * is gone the process ends, and with its sockets and pipes whatever it started.
 */
export function serveQuestions<Q extends { [K in keyof Q]: Question }>(handlers: Handlers<Q>): void {
  process.once('disconnect', () => process.exit())
  // Ctrl-C is everybody's in the terminal; who has something to end hears of it by 'exit'.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(EXIT_SIGNALLED))
  process.on('message', (message) => {
    const { name, params } = message as { name: keyof Q; params: Q[keyof Q]['params'] }
    void replyTo(() => handlers[name](params)).then((reply) => {
      process.send?.(reply, undefined, undefined, () => {
        if (name === 'close') process.disconnect?.()
      })
    })
  })
}

async function replyTo(handler: () => Promise<unknown>): Promise<Reply> {
  try {
    return { ok: true, answer: await handler() }
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
}
