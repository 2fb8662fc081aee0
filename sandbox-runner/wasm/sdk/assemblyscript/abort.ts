/**
 * A plugin's last words. The compiler calls this where a plugin throws, where an assertion fails or an index is out
 * of range (`--use abort=phantomAbort`). The trap behind it says nothing by itself: the words of a failure are the last
 * line on stderr before it. Not by a call of the host: a module that calls it nowhere else is entered faster. It is
 * compiled before everything else, so it uses no variable of another file.
 */
@external('wasi_snapshot_preview1', 'fd_write')
declare function fd_write(descriptor: i32, ranges: usize, count: i32, written: usize): i32

// @ts-ignore: decorator
@global
export function phantomAbort(
  message: string | null,
  fileName: string | null,
  line: u32,
  column: u32,
): void {
  const place = (fileName === null ? '' : fileName) + ':' + line.toString() + ':' + column.toString()
  const words = message === null || message.length == 0 ? 'aborted' : message
  const lines = 'aborted at ' + place + '\n' + words.replaceAll('\n', ' ') + '\n'
  const bytes = String.UTF8.encode(lines, false, String.UTF8.ErrorMode.REPLACE)
  const range = heap.alloc(12)
  store<usize>(range, changetype<usize>(bytes))
  store<i32>(range, bytes.byteLength, 4)
  fd_write(2, range, 1, range + 8)
  unreachable()
}
