/** `ticketring rollback` of a ring that is deployed on the loopback, with a machine whose program is the real one. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deployedRing } from './deployed-ring.ts'

const ring = deployedRing()
const { ticketring } = ring
const file = (name: string) => join(ring.deployed.testbed.machines[0]?.directory ?? '', 'lib', name)
const DRILL = ['--reason', 'a drill'] as const

describe('the program of a ring', () => {
  it('is only told of by --dry-run, and nothing is asked for without a reason', async () => {
    await ring.deployed.converge()
    const told = await ticketring('rollback', 'edge', ...DRILL, '--dry-run')
    expect(told).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /would be ticketring-edge-\w+ is rolled back by [\s\S]*\nNothing was changed\. It would then stand so:\nedge: /,
      ),
    })
    expect(await ticketring('status', 'edge')).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining('rolled back'),
    })
    expect(await ticketring('rollback', 'edge')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--reason TEXT is wanted'),
    })
  })

  it('goes back to what was brought before, on each machine, with no ticket lost; status says so', async () => {
    // As a deploy before brought it: other settings, which change nothing that clients see.
    const now = readFileSync(file('edge.conf'), 'utf8')
    const before = `${now}REPAIR_EVERY=3000\n`
    writeFileSync(file('edge.before'), before)
    const { generation, current } = ring.deployed.current()
    const told = await ticketring('rollback', 'edge', ...DRILL)
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(/^edge: ticketring-edge-\w+ is rolled back by .*: a drill\n/)
    expect(readFileSync(file('edge.conf'), 'utf8')).toBe(before)
    expect(ring.deployed.current()).toMatchObject({ generation, current: { name: current.name } })
    const status = await ticketring('status', 'edge')
    expect(status).toMatchObject({ code: 0 })
    expect(status.stdout).toMatch(/last deploy is rolled back by .*: a drill\n$/)
  })

  it('stays what it went back to through a rotation', async () => {
    await ring.deployed.converge()
    const { generation } = ring.deployed.current()
    expect(await ticketring('rotate', 'edge')).toMatchObject({ code: 0 })
    await ring.deployed.converge()
    expect(ring.deployed.current().generation).toBe(generation + 1)
    expect(readFileSync(file('edge.conf'), 'utf8')).toContain('REPAIR_EVERY=3000')
  })

  it('is brought again once that is taken back', async () => {
    const told = await ticketring('rollback', 'edge', ...DRILL, '--undo')
    expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('edge: no longer: ') })
    expect(await ticketring('deliver', 'edge')).toMatchObject({ code: 0 })
    expect(readFileSync(file('edge.conf'), 'utf8')).not.toContain('REPAIR_EVERY=3000')
  })
})
