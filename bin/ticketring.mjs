#!/usr/bin/env node
// The command line: TypeScript as it is, by tsx.
import { register } from 'tsx/esm/api'

// What the SDK says of Node's versions is no answer to what an operator asked.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
register()
const { main } = await import('../cli/main.ts')
const { terminal } = await import('../cli/terminal.ts')
process.exitCode = await main(process.argv.slice(2), terminal())
