/** One line of `/proc/PID/mountinfo`, see proc_pid_mountinfo(5). */
export interface MountLine {
  /** `major:minor` of the file system. */
  readonly device: string
  /** What of that file system is mounted. */
  readonly root: string
  readonly at: string
  /** Of this mount, whatever the file system is. */
  readonly readOnly: boolean
  readonly type: string
  /** Of the file system, `rw,size=16384k`. */
  readonly options: string
}

/** In the kernel's order, later ones on top of earlier ones. Null where a line is not one of its: none may be missed. */
export function parseMountinfo(text: string): readonly MountLine[] | null {
  const lines: MountLine[] = []
  for (const line of text.split('\n')) {
    if (line === '') continue
    const words = line.split(' ')
    // Any number of optional fields end with a dash.
    const dash = words.indexOf('-', 6)
    const [, , device = '', root = '', at = '', options = ''] = words
    const [type, , fileSystem = ''] = words.slice(dash + 1)
    if (dash === -1 || type === undefined || !/^\d+:\d+$/.test(device) || !at.startsWith('/')) return null
    const readOnly = options.split(',').includes('ro')
    lines.push({ device, root: unescape(root), at: unescape(at), readOnly, type, options: fileSystem })
  }
  return lines
}

/** The kernel writes space, tab, line break and backslash of a path in octal. */
function unescape(text: string): string {
  return text.replaceAll(/\\(040|011|012|134)/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  )
}
