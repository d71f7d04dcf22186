/** The command line as a program of its own. */
import { main } from './main.ts'
import { terminal } from './terminal.ts'

// What the SDK says of Node's versions is no answer to what an operator asked.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
process.exitCode = await main(process.argv.slice(2), terminal())
