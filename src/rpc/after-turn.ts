/** In the next turn of the event loop, or in that many milliseconds; the answer cancels. */
export function afterTurn(pauseMs: number, run: () => void): () => void {
  if (pauseMs === 0) {
    const turn = setImmediate(run)
    return () => clearImmediate(turn)
  }
  const timer = setTimeout(run, pauseMs)
  return () => clearTimeout(timer)
}
