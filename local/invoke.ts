import { tolerateClosedPipes } from './closed-pipe.ts'
import { invoke } from './rehearsal/invocation.ts'
import { RehearsalError } from './rehearsal/rehearsal-error.ts'

tolerateClosedPipes()
try {
  const { payload, failed } = await invoke(process.argv.slice(2))
  console.log(payload)
  process.exitCode = failed ? 1 : 0
} catch (error) {
  if (!(error instanceof RehearsalError)) throw error
  console.error(`${error.message}\n${error.next}`)
  process.exitCode = 1
}
