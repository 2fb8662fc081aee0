import http from 'node:http'

/**
 * Milliseconds of one GET after another over a connection that is kept.
 * @param {{ url: string, way: 'fetch' | 'http', warmUpMs: number, measureMs: number, minCalls: number }} input
 */
export async function timeGets({ url, way, warmUpMs, measureMs, minCalls }) {
  const get = way === 'fetch' ? getByFetch : getByHttp
  await timesFor(() => get(url), warmUpMs, 3)
  const times = await timesFor(() => get(url), measureMs, minCalls)
  times.sort((one, other) => one - other)
  return { p50: times[Math.floor(times.length * 0.5)], p99: times[Math.floor(times.length * 0.99)] }
}

/** @param {() => Promise<void>} call @param {number} durationMs @param {number} minCalls */
async function timesFor(call, durationMs, minCalls) {
  const times = []
  const end = performance.now() + durationMs
  for (let before = performance.now(); before < end || times.length < minCalls;) {
    await call()
    const after = performance.now()
    times.push(after - before)
    before = after
  }
  return times
}

/** @param {string} url */
async function getByFetch(url) {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(await response.text())
  await response.text()
}

/** @param {string} url @returns {Promise<void>} */
function getByHttp(url) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, (response) => {
      response.resume()
      if (response.statusCode === 200) response.on('end', () => resolve())
      else reject(new Error(`answered ${response.statusCode}`))
    })
    request.on('error', reject)
  })
}
