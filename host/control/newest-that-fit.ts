/** Up to three bytes a character: well inside of one line of the wire. */
const MAX_ANSWER_CHARS = 4 * 1024 * 1024

/** The newest of a list of lines that one answer can carry. */
export function newestThatFit<Line>(lines: readonly Line[]): Line[] {
  let room = MAX_ANSWER_CHARS
  const first = lines.findLastIndex((line) => (room -= JSON.stringify(line).length + 1) < 0)
  return lines.slice(first + 1)
}
