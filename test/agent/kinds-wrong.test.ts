/** A server of one key file that is not configured as the ring needs it: what its machine says, and that nothing changes. */
import { chownSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Instance, NO_WAIT } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'
import { UID } from './other-user.ts'

let machine: Instance
afterEach(() => machine.stop())

/** The server again, with its configuration changed. */
async function reconfigure(file: string, change: (text: string) => string): Promise<void> {
  const path = join(machine.terminator.directory, file)
  const text = readFileSync(path, 'utf8')
  const other = change(text)
  expect(other).not.toBe(text)
  writeFileSync(path, other)
  await machine.terminator.halt()
  await machine.terminator.restart()
}

test.runIf(process.getuid?.() === 0).each(['h2o'] as const)(
  '%s whose file is of a user that the settings do not name',
  async (kind) => {
    ;[machine] = await startOneBehind(kind)
    chownSync(machine.terminator.keyFiles[0] as string, UID, -1)
    expect(await refused(machine, 'config-invalid')).toContain(`${kind.toUpperCase()}_OWNER as user ${UID}`)
  },
)

describe('h2o', () => {
  test('that keeps its keys in another file: its line says what to compare, and the file is given back', async () => {
    ;[machine] = await startOneBehind('h2o')
    const [keyFile] = machine.terminator.keyFiles as [string]
    const other = `${keyFile}.other`
    writeFileSync(other, readFileSync(keyFile))
    await reconfigure('h2o.yaml', (text) => text.replace(`ticket-file: ${keyFile}`, `ticket-file: ${other}`))
    machine.set(NO_WAIT)
    const detail = await refused(machine, 'verify-wrong-key')
    expect(detail).toContain(`its configuration names ${keyFile} as ticket-file`)
  })

  test('gets each file with a later time than the one before, also within a second, since it compares whole ones', async () => {
    ;[machine] = await startOneBehind('h2o')
    const [keyFile] = machine.terminator.keyFiles as [string]
    // Later than any clock says: as if what it has read were of this very second.
    const later = Math.floor(Date.now() / 1000) + 3600
    utimesSync(keyFile, later, later)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    expect(statSync(keyFile).mtimeMs / 1000).toBe(later + 1)
  })
})
