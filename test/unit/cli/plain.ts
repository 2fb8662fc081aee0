/** Whatever the terminal of the test run is: words are compared, not colours. */
export function plain(lines: readonly string[]): string {
  return lines.map((line) => line.replace(/\u001b\[\d+m/g, '')).join('\n')
}
