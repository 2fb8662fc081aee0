/** How the names of files end that are TypeScript. */
export const SOURCE_NAMES: ReadonlySet<string> = new Set(['.ts', '.mts', '.cts'])
