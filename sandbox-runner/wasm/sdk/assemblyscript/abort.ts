/**
 * A plugin's last words. The compiler calls this where a plugin throws, where an assertion fails or an index is out
 * of range (`--use abort=phantomAbort`). The trap behind it says nothing by itself: the words of a failure are the
 * last line of level error before it. It is compiled before everything else, so it uses no variable of another file.
 */
@external('phantom:host/v1', 'call')
declare function hostCall(pointer: usize, length: usize): u64

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
  logError('aborted at ' + place)
  logError(words.slice(0, 8192))
  unreachable()
}

/** The answer is not read: nothing comes after. */
function logError(message: string): void {
  const request = String.UTF8.encode(
    '{"jsonrpc":"2.0","id":0,"method":"log","params":{"level":"error","message":' + quoted(message) + '}}\n',
    false,
    String.UTF8.ErrorMode.REPLACE,
  )
  hostCall(changetype<usize>(request), request.byteLength)
}

function quoted(text: string): string {
  let json = '"'
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit == 0x22 || unit == 0x5c) json += '\\' + text.charAt(i)
    else if (unit < 0x20) json += '\\u00' + (unit < 16 ? '0' : '') + unit.toString(16)
    else json += text.charAt(i)
  }
  return json + '"'
}
