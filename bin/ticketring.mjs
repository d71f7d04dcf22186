#!/usr/bin/env node
// The command line: TypeScript as it is, by tsx.
import { register } from 'tsx/esm/api'

register()
await import('../cli/program.ts')
