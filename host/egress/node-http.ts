/**
 * Not imported: of a builtin module `import` reads every member, and one of node:http's is Node's whole `fetch`, 7 MiB
 * (26.10, tried) that each start of a plugin would copy the page tables of.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')
