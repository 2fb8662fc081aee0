/**
 * Gives back, for good, the right of this thread to start threads. Tried: a thread that is started from text or without
 * flags, and `module.register()`, are refused afterwards; threads that live go on, with the right if they had it.
 */
export function dropWorkerRight(): void {
  // Without the permission model (a runner that is driven by hand) there is nothing to give back.
  process.permission?.drop('worker')
}

/**
 * Node (v26.10) gives each thread the right to read the process's folder and all below it: it grants the file that the
 * main thread was started with, and of a thread takes the name of none for that folder.
 */
export function dropFolderRight(folder: string): void {
  process.permission?.drop('fs.read', folder)
}

/** The process's folder where its own grants do not cover it, so that a thread may give it back. */
export function unreadableFolder(): string | null {
  const folder = process.cwd()
  const mayRead = process.permission?.has('fs.read', folder) ?? true
  return mayRead ? null : folder
}
