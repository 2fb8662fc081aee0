import { serveJsonEcho } from './json-echo.ts'
import { writeLine } from './json-lines.ts'

serveJsonEcho(writeLine)
