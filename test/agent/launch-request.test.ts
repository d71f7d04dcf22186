/** What a machine asks of EC2 Auto Scaling, and what it reads of the answers, is held to AWS's own description of the service. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const inHome = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const RUN = `import sys, unittest
sys.dont_write_bytecode = True
sys.path[:0] = sys.argv[1:3]
unittest.main(module="launch_request", argv=[""])`

test('the completion of a launch hook is what botocore would send, and its answers are read as botocore reads them', async () => {
  // Debian's own, which has Debian's botocore.
  const words = ['-I', '-c', RUN, inHome('../../agent'), inHome('.')]
  const { stderr } = await promisify(execFile)('/usr/bin/python3', words)
  expect(stderr).toMatch(/^Ran 6 tests[\s\S]*\nOK\n$/m)
})
