import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RotationConfiguration } from '../../lambda/ring/configuration.ts'
import { type Tally, totalOf } from '../../local/rehearsal/clients/tally.ts'
import type { Faults } from '../../local/rehearsal/faults.ts'
import type { Fleet } from '../../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../../local/rehearsal/machines/machine.ts'
import { nginx } from '../../local/rehearsal/machines/nginx.ts'
import type { Testbed } from '../../local/rehearsal/testbed.ts'
import type { Timing } from '../../local/rehearsal/timing.ts'
import { withAltered } from './altered-program.ts'
import { FLEET, QUICK, rehearseWith, synthesiseOnce } from './rehearsing.ts'

let stack: Awaited<ReturnType<typeof synthesiseOnce>>
beforeAll(async () => {
  stack = await synthesiseOnce()
})
afterAll(() => stack?.forget())

const withSome = ({ tally }: { tally: Tally }) => totalOf(tally).lost > 0
const timed =
  (timing: Partial<RotationConfiguration['timing']>) =>
  (configuration: RotationConfiguration): RotationConfiguration => ({
    ...configuration,
    timing: { ...configuration.timing, ...timing },
  })

/** A rehearsal that ends as soon as something was lost. */
const spoil = (
  faults: Faults,
  rotations: number,
  { timing = QUICK, fleet = FLEET }: { timing?: Timing; fleet?: Fleet } = {},
) =>
  rehearseWith(
    { synthesis: stack.synthesis, isEnough: withSome, withoutStapleScenario: true, ...faults },
    rotations,
    timing,
    fleet,
  )

/** Once the fleet is up: other durations for the function, and one machine that does not do as it should. */
function fromStartOn(
  timing: Partial<RotationConfiguration['timing']>,
  hamper: (testbed: Testbed) => void,
): Faults {
  let started = false
  return {
    durations: (configuration) => (started ? timed(timing)(configuration) : configuration),
    onStart: (testbed) => {
      started = true
      testbed.aws.retime()
      hamper(testbed)
    },
  }
}

/** One machine gets each command late. The last one: no other's confirmation is waited for after its own. */
const delayed = (milliseconds: number) => (testbed: Testbed) => testbed.instances.at(-1)?.delay(milliseconds)

/** One machine refuses every command, and goes on with the keys that it has. */
function breakSettings({ machines, ring }: Testbed): void {
  const machine = machines.at(-1) as Machine
  appendFileSync(join(machine.directory, 'etc', `${ring.name}.conf`), 'NO_SUCH_SETTING=1\n')
}

/**
 * What an unguarded repetition of a delivery does: the ring shifts once more, and its oldest key is gone. By a careless
 * hand: the key is an argument of a process.
 */
function pushAgain({ machines, watch, trace }: Testbed): void {
  const machine = machines[0]
  const file = `${machine?.memory}/haproxy.keys`
  const command = `set ssl tls-key ${file} ${watch.current?.next.serialise()}`
  const argv = ['sh', '-c', 'echo "$1" | socat - "$2"', 'push', command, `${machine?.directory}/admin.sock`]
  const [strace, ...words] = trace.wrap(argv, 'a careless push') as [string, ...string[]]
  execFileSync(strace, words)
}

/** nginx gets the halves of each key in HAProxy's order. */
const swapHalves = (template: unknown) =>
  withAltered(template, {
    file: 'servers/nginx.py',
    text: 'hmac_first = self._size == 80',
    other: 'hmac_first = False',
  })

/** What was delivered to nginx is meddled with: it takes whatever parses, and does without what is not there. */
function meddleWithStaples({ machines }: Testbed): void {
  const machine = machines.find(({ server }) => server === 'nginx') as Machine
  const file = (name: string) => join(machine.directory, 'staples', name)
  const response = readFileSync(file('www.ocsp'))
  response.writeUInt8((response.at(-1) as number) ^ 1, response.length - 1)
  writeFileSync(file('www.ocsp'), response)
  rmSync(file('shop.ocsp.conf'))
  const [command, ...words] = nginx.command(machine)
  execFileSync(command as string, [...words, '-s', 'reload'], { stdio: 'ignore' })
}

/** The program keeps what it is told to remove, and does not look whether it is gone. */
const skipWithdrawal = (template: unknown) =>
  withAltered(template, {
    file: 'judge.py',
    text: 'if entry.state != "staple":\n                return []',
    other: 'if entry.state != "staple":\n                return None',
  })

describe('a rehearsal turns red when', () => {
  it('the gate is skipped: the ring advances though a machine lags', async () => {
    const faults = fromStartOn({ every: 2, ticketLifetime: 1, maxKeyAge: 3 }, breakSettings)
    const { report, problems } = await spoil(faults, 9, { fleet: { haproxy: 2, nginx: 0 } })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/resumptions? lost/)
  }, 240_000)

  it('L is ignored: the ring advances before the tickets of its last straggler have lived their lives', async () => {
    const faults = fromStartOn({ every: 4, ticketLifetime: 1, maxKeyAge: 60 }, delayed(4_000))
    const timing = { ...QUICK, every: 40, ticketLifetime: 20 }
    const { report, problems } = await spoil(faults, 3, { timing, fleet: { haproxy: 0, nginx: 2 } })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/resumptions? lost/)
  }, 240_000)

  it('the layouts are swapped, though every machine shows the right key name and resumes its kind; HAProxy is pushed twice; a key is an argument of some process', async () => {
    const onConverged = (testbed: Testbed, generation: number) => generation === 2 && pushAgain(testbed)
    const fleet = { haproxy: 2, nginx: 1 }
    const { report, problems, incidents, testbed } = await spoil({ template: swapHalves, onConverged }, 3, {
      fleet,
    })
    expect(report).toMatchObject({ ok: false, keyBytesFound: 1 })
    const [swapped] = testbed.machines.filter(({ server }) => server === 'nginx').map(({ id }) => id)
    expect(problems.join('\n')).toContain(`${swapped} reads the key in another byte order`)
    expect(problems.join('\n')).toMatch(/resumptions? lost/)
    expect(problems).toContain('key bytes in a process argument or environment: a careless push')
    // Nothing was lost where the layouts were swapped: each kind of fault is seen by a sense of its own.
    expect(incidents.examples.filter((text) => text.includes(`at ${swapped}`))).toEqual([])
  }, 240_000)

  it('the ring never changes; a staple is altered or taken away on its machine; a machine withdraws nothing and says that it did', async () => {
    const { report, problems, incidents } = await rehearseWith(
      {
        synthesis: stack.synthesis,
        durations: timed({ every: 3_600, maxKeyAge: 7_200 }),
        onStart: meddleWithStaples,
        template: skipWithdrawal,
      },
      2,
      { ...QUICK, every: 2, ticketLifetime: 1 },
      { haproxy: 1, nginx: 1 },
    )
    expect(report).toMatchObject({ ok: false, rotations: 0 })
    expect(problems).toContain('the ring advanced 0 times, not 2')
    expect(problems).toContain('no retired ticket was tried')
    const seen = incidents.examples.join('\n')
    expect(seen).toMatch(/\(nginx\) stapled for www .*: refused \(V[68]: /)
    expect(seen).toMatch(/\(nginx\) stapled for shop .*: missing, not good/)
    expect(seen).toMatch(/\(nginx\) stapled for lab .*: good, not missing/)
    for (const part of ['from the start', 'revoked'])
      expect(problems.join('\n')).toMatch(
        RegExp(`${part}: \\d+ of \\d+ staples were not what they should be`),
      )
  }, 240_000)
})
