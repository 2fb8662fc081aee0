import { hasControlCharacters } from '../quote-text.ts'

/** PATH_MAX of Linux. */
const MAX_PATH_CHARS = 4096

/**
 * What keeps a path of a manifest from naming something inside the plugin's folder, as far as its letters tell
 * (links are the disk's matter); null when nothing does.
 */
export function folderPathProblem(path: string): string | null {
  if (path.trim() === '') return 'is empty'
  if (path.length > MAX_PATH_CHARS) return `is longer than ${MAX_PATH_CHARS} characters`
  if (hasControlCharacters(path)) return 'holds a control character'
  if (path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)) return 'is an absolute path'
  if (path.split(/[\\/]/).includes('..')) return 'leaves the plugin folder with ".."'
  return null
}
