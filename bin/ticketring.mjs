#!/usr/bin/env node
// The command line: TypeScript as it is, by tsx.
import { register } from 'tsx/esm/api'

register()
const { main } = await import('../cli/main.ts')
const { terminal } = await import('../cli/terminal.ts')
process.exitCode = await main(process.argv.slice(2), terminal())
