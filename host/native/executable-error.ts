/** Why a file is nothing that could run as a plugin, and what to do about it: for its author, in words. */
export class ExecutableError extends Error {
  override readonly name = 'ExecutableError'
  readonly remedy: string

  /** `problem` goes on behind the file's name and a colon. */
  constructor(problem: string, remedy: string) {
    super(problem)
    this.remedy = remedy
  }
}
