/** What tools write beside sources: version control, and the state that we keep ourselves. */
const IGNORED_FOLDERS: ReadonlySet<string> = new Set(['.git', '.phantom'])

const EDITOR_FILES: readonly RegExp[] = [
  /~$/, // backups of most editors
  /^\..+\.sw[a-z]$/, // Vim's swap files, `.name.swp`, then `.swo`, `.swn` and so on downwards
  /^4913$/, // Vim's trial whether a folder can be written (`:help 'backupcopy'`)
  /^\.#/, // Emacs's locks: links that lead nowhere
]

/** @param relativePath below the plugin's folder, with `/` */
export function isIgnoredPath(relativePath: string): boolean {
  const parts = relativePath.split('/')
  return parts.some(
    (part, index) =>
      IGNORED_FOLDERS.has(part) ||
      (part === '.cache' && parts[index - 1] === 'node_modules') ||
      EDITOR_FILES.some((pattern) => pattern.test(part)),
  )
}
