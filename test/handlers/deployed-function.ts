/** The rotation function as it is deployed, in a process of its own, over a fleet of one HAProxy. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { parseRing, type Ring } from '../../lambda/ring/ring.ts'
import { stackFor } from '../../local/rehearsal/synthesis.ts'
import { Testbed } from '../../local/rehearsal/testbed.ts'
import { forgetDisk } from '../../local/rehearsal/workspace.ts'

const FLEET = { haproxy: 1, nginx: 0 }
/** A long interval and a short ticket life: the ring turns when it is asked to, and may at once. */
const TIMING = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

export class DeployedFunction {
  readonly directory: string
  readonly testbed: Testbed

  private constructor(directory: string, testbed: Testbed) {
    this.directory = directory
    this.testbed = testbed
  }

  static async start(): Promise<DeployedFunction> {
    const directory = mkdtempSync(join(tmpdir(), 'ticketring-handler-'))
    const synthesis = await stackFor(FLEET, join(directory, 'cdk.out'))
    const testbed = await Testbed.build(FLEET, TIMING, { synthesis })
    await testbed.tickOnce()
    await testbed.aws.idle()
    for (const machine of testbed.machines) await testbed.bringUp(machine)
    return new DeployedFunction(directory, testbed)
  }

  async stop(): Promise<void> {
    await this.testbed.strike(true)
    forgetDisk(this.testbed.workspace)
    rmSync(this.directory, { recursive: true, force: true })
  }

  async invoke(event: object) {
    return this.testbed.aws.invoke(this.testbed.ring.functionName, event)
  }

  /** Ticks until the fleet has confirmed and its tickets have lived: the gate is open. */
  async converge(): Promise<void> {
    this.testbed.aws.faults.clear()
    await expect
      .poll(async () => (await this.invoke({ action: 'reconcile' })).payload)
      .toMatchObject({ decision: { action: 'rest' }, fleet: { members: 1, confirmed: 1 } })
    await pause(TIMING.ticketLifetime * 1000 + 50)
  }

  current(): Ring {
    const { aws, secret, ring } = this.testbed
    const current = aws.secretVersions(secret.arn).find(({ labels }) => labels.includes('AWSCURRENT'))
    const found = parseRing(current?.value ?? '', ring.name)
    if (found === undefined) throw new Error('no ring')
    return found
  }
}
