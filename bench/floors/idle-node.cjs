// A bare Node process: says that it runs, then idles; ends by itself should its starter have died.
require('node:fs').writeSync(1, 'r')
setTimeout(() => {}, 120_000)
