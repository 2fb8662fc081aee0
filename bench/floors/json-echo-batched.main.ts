import { serveJsonEcho } from './json-echo.ts'
import { writeLineBatched } from './json-lines.ts'

serveJsonEcho(writeLineBatched)
