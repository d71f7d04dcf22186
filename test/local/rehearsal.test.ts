import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RotationConfiguration } from '../../lambda/core/rotation-configuration.ts'
import type { Machine } from '../../local/rehearsal/machine.ts'
import { nginx } from '../../local/rehearsal/nginx.ts'
import type { Seed } from '../../local/rehearsal/seed.ts'
import type { Stage } from '../../local/rehearsal/stage.ts'
import { PARTS } from '../../local/rehearsal/staple-show.ts'
import { type StapleTally, stapleTotalOf } from '../../local/rehearsal/staple-tally.ts'
import { deliveryShare, type Tally, totalOf } from '../../local/rehearsal/tally.ts'
import { FLEET, QUICK, rehearseWith, synthesiseOnce } from './rehearsing.ts'

let stack: ReturnType<typeof synthesiseOnce>
beforeAll(() => {
  stack = synthesiseOnce()
})
afterAll(() => stack.forget())

const withSome = ({ tally }: { tally: Tally }) => totalOf(tally).lost > 0
const withStrange = ({ staples }: { staples: StapleTally }) =>
  Object.values(staples.phases).some(({ unexpected }) => unexpected > 0)
const timed =
  (timing: Partial<RotationConfiguration['timing']>) =>
  (configuration: RotationConfiguration): RotationConfiguration => ({
    ...configuration,
    timing: { ...configuration.timing, ...timing },
  })

/** A rehearsal that ends as soon as something was lost. */
const spoil = (seed: Seed, rotations: number, pace = QUICK) =>
  rehearseWith(
    { synthesis: stack.synthesis, isEnough: withSome, withoutShow: true, ...seed },
    rotations,
    pace,
  )

/** A rehearsal that ends as soon as something was stapled that should not be. */
const spoilStaples = (seed: Seed) =>
  rehearseWith({ synthesis: stack.synthesis, isEnough: withStrange, ...seed }, 1)

/** Once the fleet is up: other durations for the function, and one machine that gets each command late. */
function fromStartOn(timing: Partial<RotationConfiguration['timing']>, milliseconds: number): Seed {
  let started = false
  return {
    durations: (configuration) => (started ? timed(timing)(configuration) : configuration),
    onStart: ({ aws, instances }) => {
      started = true
      aws.retime()
      // The last one: nobody else's confirmation is waited for after its own.
      instances.at(-1)?.delay(milliseconds)
    },
  }
}

/**
 * What an unguarded repetition of a delivery does: the ring shifts once more, and its oldest key is gone. By a careless
 * hand: the key is an argument of a process.
 */
function pushAgain({ machines, watch, trace }: Stage): void {
  const machine = machines[0]
  const file = `${machine?.memory}/haproxy.keys`
  const command = `set ssl tls-key ${file} ${watch.current?.next.serialise()}`
  const argv = ['sh', '-c', 'echo "$1" | socat - "$2"', 'push', command, `${machine?.directory}/admin.sock`]
  const [strace, ...words] = trace.wrap(argv, 'a careless push') as [string, ...string[]]
  execFileSync(strace, words)
}

/** nginx gets the halves of each key in HAProxy's order. */
function swapHalves(template: unknown): unknown {
  const right = '$name$hmac$hmac_rest$aes$aes_rest'
  const text = JSON.stringify(template)
  if (!text.includes(right)) throw new Error('The script renders the layout nginx-80 in other words now')
  return JSON.parse(text.replace(right, () => '$name$aes$aes_rest$hmac$hmac_rest'))
}

/** Somebody puts another response before nginx than the one delivered: nginx takes whatever parses. */
function alterStaple({ machines }: Stage): void {
  const machine = machines.find(({ server }) => server === 'nginx') as Machine
  const file = join(machine.directory, 'staples', 'www.ocsp')
  const response = readFileSync(file)
  response.writeUInt8((response.at(-1) as number) ^ 1, response.length - 1)
  writeFileSync(file, response)
  const [command, ...words] = nginx.command(machine)
  execFileSync(command as string, [...words, '-s', 'reload'], { stdio: 'ignore' })
}

/** The script leaves in place what it is told to remove, and does not look whether it is gone. */
function skipWithdrawal(template: unknown): unknown {
  return ['absent) remove', 'absent) judge_absent'].reduce<unknown>((altered, right) => {
    const text = JSON.stringify(altered)
    if (!text.includes(right)) throw new Error('The script removes staples in other words now')
    return JSON.parse(text.replace(right, () => 'absent) :'))
  }, template)
}

it.concurrent('two rotations over two HAProxy and two nginx, one of them slow, lose nothing and retire every old ticket', async () => {
  const seed = {
    synthesis: stack.synthesis,
    // Its commands arrive late: the gate has to wait for it, and for the tickets it issued meanwhile.
    onStart: ({ instances }: { instances: readonly { delay(ms: number): void }[] }) =>
      instances[1]?.delay(1_500),
  }
  const { report, problems, tally, staples, incidents, execs, stage } = await rehearseWith(seed, 2)

  expect(problems).toEqual([])
  expect(incidents).toEqual([])
  expect(report).toMatchObject({ ok: true, rotations: 2, generation: 3, keyBytesFound: 0 })
  expect(report.hosts.map(({ generation }) => generation)).toEqual([3, 3, 3, 3])
  expect(new Set(report.hosts.map(({ encryptsWith }) => encryptsWith)).size).toBe(1)
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  expect(deliveryShare(tally)).toBeGreaterThanOrEqual(0.3)
  expect(report.retired.accepted).toBe(0)
  expect(report.retired.tried).toBeGreaterThanOrEqual(2 * 2 * (FLEET.haproxy + FLEET.nginx))
  expect(tally.crossKind.tried).toBeGreaterThan(0)
  expect(execs).toBeGreaterThan(100)
  expect(report.apiCalls.SendCommand).toBeGreaterThan(0)
  expect(Object.keys(report)).toEqual([
    'ok',
    'rotations',
    'generation',
    'hosts',
    'resumption',
    'retired',
    'apiCalls',
    'keyBytesFound',
    'staples',
  ])

  expect(Object.keys(report.staples)).toEqual(stage.ids)
  for (const counts of Object.values(report.staples)) {
    expect(Object.keys(counts)).toEqual(['asked', 'good', 'missing', 'expired', 'revoked'])
    expect(counts).toMatchObject({ expired: 0, good: expect.any(Number) })
    expect(counts.good + counts.missing + counts.revoked).toBe(counts.asked)
  }
  expect(stapleTotalOf(staples)).toMatchObject({ expired: 0, refused: 0 })
  expect(Object.keys(staples.phases)).toEqual(PARTS)
  const last = staples.phases.revoked?.certificates
  expect(last?.www?.good).toBe(last?.www?.asked)
  expect(last?.shop?.revoked).toBe(last?.shop?.asked)
  expect(last?.lab?.missing).toBe(last?.lab?.asked)
  for (const { certificates } of Object.values(staples.phases)) expect(certificates.www?.missing).toBe(0)

  // Nothing is left behind: no key on tmpfs, no process.
  expect(existsSync(stage.workspace.memory)).toBe(false)
  for (const { process } of stage.servers) expect(process.exitCode ?? process.signalCode).not.toBeNull()
}, 240_000)

describe.concurrent('a rehearsal turns red when', () => {
  it('the gate is skipped: the ring advances though a machine lags', async () => {
    const seed = fromStartOn({ every: 2, ticketLifetime: 1, maxKeyAge: 3 }, 9_000)
    const { report, problems } = await spoil(seed, 9)
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/resumptions were lost/)
  }, 240_000)

  it('L is ignored: the ring advances before the tickets of its last straggler have lived their lives', async () => {
    const seed = fromStartOn({ every: 4, ticketLifetime: 1, maxKeyAge: 60 }, 4_000)
    const { report, problems } = await spoil(seed, 3, { ...QUICK, every: 40, ticketLifetime: 20 })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/resumptions were lost/)
  }, 240_000)

  it('the layouts are swapped, although every machine shows the right key name and resumes its kind', async () => {
    const { report, problems, stage } = await spoil({ template: swapHalves }, 1)
    expect(report.ok).toBe(false)
    const swapped = stage.machines.filter(({ server }) => server === 'nginx').map(({ id }) => id)
    for (const id of swapped)
      expect(problems.join('\n')).toContain(`${id} reads the key in another byte order`)
  }, 240_000)

  it('HAProxy is pushed twice, and when a key is an argument of some process', async () => {
    const onConverged = (stage: Stage, generation: number) => generation === 2 && pushAgain(stage)
    const { report, problems } = await spoil({ onConverged }, 3)
    expect(report).toMatchObject({ ok: false, keyBytesFound: 1 })
    expect(problems.join('\n')).toMatch(/resumptions were lost/)
    expect(problems).toContain('key bytes in a process argument or environment: a careless push')
  }, 240_000)

  it('a staple that was delivered is altered on its machine', async () => {
    const { report, problems, incidents } = await spoilStaples({ onStart: alterStaple })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/staples were not what they should be/)
    expect(incidents.join('\n')).toMatch(/\(nginx\) stapled for www .*: refused \(V[68]: /)
  }, 240_000)

  it('the responder forges its answers: none is delivered, so nothing is stapled', async () => {
    const { report, problems, incidents } = await spoilStaples({ responder: { forge: true } })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/staples were not what they should be/)
    expect(incidents.join('\n')).toMatch(/: missing, not good/)
  }, 240_000)

  it('a machine withdraws nothing and says that it did', async () => {
    const { report, problems, incidents } = await spoilStaples({ template: skipWithdrawal })
    expect(report.ok).toBe(false)
    expect(problems.join('\n')).toMatch(/revoked: \d+ of \d+ staples were not what they should be/)
    expect(incidents.join('\n')).toMatch(/\(nginx\) stapled for lab .*: good, not missing/)
  }, 240_000)

  it('the ring never changes', async () => {
    const pace = { ...QUICK, every: 2, ticketLifetime: 1 }
    const { report, problems } = await spoil(
      { durations: timed({ every: 3_600, maxKeyAge: 7_200 }) },
      2,
      pace,
    )
    expect(report).toMatchObject({ ok: false, rotations: 0 })
    expect(problems).toContain('the ring advanced 0 times, not 2')
    expect(problems).toContain('no retired ticket was tried')
  }, 240_000)
})
