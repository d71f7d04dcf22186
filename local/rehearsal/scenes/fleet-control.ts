import type { SynthesisedRing } from '../../../infra/app/build-app.ts'
import type { ResultLine } from '../../../lambda/ring/result-line.ts'
import { keysOf } from '../../../lambda/ring/ring.ts'
import type { ExecutionRecord } from '../../aws/history.ts'
import type { Tone } from '../../paint.ts'
import type { Availability } from '../clients/availability.ts'
import type { Clients } from '../clients/clients.ts'
import { isUnderKey } from '../clients/ticket.ts'
import type { RingView } from '../clients/ticket-validity.ts'
import type { Lifecycle } from '../lifecycle.ts'
import type { Machine } from '../machines/machine.ts'
import type { Progress } from '../progress.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import { decisionsIn, type LoggedDecision } from '../ring/decisions.ts'
import { resultLineOf } from '../ring/result-line.ts'
import type { Testbed } from '../testbed.ts'
import { AwsControl } from './aws-control.ts'
import { Operator } from './operator.ts'
import { Waiting } from './waiting.ts'

export interface FleetControlParts {
  readonly testbed: Testbed
  readonly clients: Clients
  readonly progress: Progress
  /** Aborted once its end is not waited for any more. */
  readonly signal: AbortSignal
  /** What was seen of the ring last. */
  readonly view: () => RingView | undefined
}

/** What a scene can do to a fleet, and see. */
export class FleetControl {
  readonly #parts: FleetControlParts
  readonly #waiting: Waiting
  readonly operator: Operator
  readonly aws: AwsControl

  constructor(parts: FleetControlParts) {
    this.#parts = parts
    this.aws = new AwsControl(parts)
    this.#waiting = new Waiting(parts.signal)
    this.operator = new Operator(parts.testbed, this.#waiting)
  }

  get ring(): SynthesisedRing {
    return this.#parts.testbed.ring
  }

  /** The fleet as it is without the scene. */
  get machines(): readonly Machine[] {
    return this.#parts.testbed.machines
  }

  get spare(): Machine | undefined {
    return this.#parts.testbed.spare
  }

  get lifecycle(): Lifecycle {
    return this.#parts.testbed.lifecycle
  }

  /** Repairs that the rotation function has counted, as its metric. */
  get driftRepaired(): number {
    const { aws, ring } = this.#parts.testbed
    const texts = aws.history.logs.filter(({ functionName }) => functionName === ring.functionName)
    const counts = texts.flatMap(({ text }) => [...text.matchAll(/"DriftRepaired":(\d+)/g)])
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  /** Generation that the secret holds. */
  get generation(): number {
    return this.#parts.view()?.committed ?? 0
  }

  /** What the rotation function has decided since then (ms). */
  decided(since: number): readonly LoggedDecision[] {
    const { aws, ring } = this.#parts.testbed
    const logs = aws.history.logs.filter(
      ({ functionName, at }) => functionName === ring.functionName && at >= since,
    )
    return decisionsIn(logs)
  }

  /** Which ring the secret holds. */
  get identity(): { readonly lineage: string; readonly generation: number } {
    const { lineage = '', generation = 0 } = this.#parts.testbed.watch.current ?? {}
    return { lineage, generation }
  }

  say(line: string): void {
    this.#parts.progress.say(`scene: ${line}`)
  }

  /** What a run shows without a scene, under a name of its own. */
  show(what: string, line: string, tone: Tone): void {
    this.#parts.progress.say(`${what}: ${line}`, tone)
  }

  setAvailability({ id }: Machine, availability: Availability): void {
    this.#parts.clients.setAvailability(id, availability)
  }

  /** What was lost for this reason, as was to be expected. */
  expected(reason: string): { readonly lost: number; readonly failed: number } {
    return this.#parts.clients.tally.expected[reason] ?? { lost: 0, failed: 0 }
  }

  /** The ring has advanced at least once, every machine has confirmed, and nothing is on its way. */
  async calm(): Promise<void> {
    const isCalm = ({ committed, confirmed, delivering }: RingView) =>
      committed > 1 && confirmed >= committed && !delivering
    await this.until('the ring has advanced and rests', () => {
      const view = this.#parts.view()
      return view !== undefined && isCalm(view)
    })
  }

  /** So many generations more, of which every machine has confirmed the last. */
  async generations(count: number): Promise<void> {
    const wanted = this.generation + count
    await this.until(
      `generation ${wanted} is confirmed`,
      () => (this.#parts.view()?.confirmed ?? 0) >= wanted,
    )
  }

  /** Clients have come back with tickets to this machine, in both TLS versions, since now. */
  async visited(machine: Machine): Promise<void> {
    const before = this.#visits(machine)
    await this.until(`clients come back to ${machine.id}`, () => this.#visits(machine) >= before + 2)
  }

  /** What the machine's runs have said, by command or by association, since then (ms). */
  heard(machine: Machine, since = 0): readonly ResultLine[] {
    return this.#runsOn(machine)
      .filter(({ startedAt }) => (startedAt ?? 0) >= since)
      .flatMap(({ stdout }) => resultLineOf(stdout) ?? [])
  }

  /** When the machine first proved that generation or a later one (ms). */
  provedAt(machine: Machine, generation: number): number | undefined {
    const proofs = this.#runsOn(machine).filter(({ stdout, exitCode }) => {
      const line = exitCode === 0 ? resultLineOf(stdout) : undefined
      return line !== undefined && line.generation >= generation
    })
    const times = proofs.flatMap(({ endedAt }) => endedAt ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** State Manager's next run, now; resolves once every machine has had it. */
  async runAssociations(): Promise<void> {
    const { schedules } = this.#parts.testbed.aws
    await Promise.all(schedules.filter(({ kind }) => kind === 'association').map((each) => each.fire()))
  }

  /** A copy of the ring of now, and how many of the tickets that were seen since then (ms) it opens. */
  steal(): { readonly reads: (since: number) => { readonly tried: number; readonly opened: number } } {
    const { testbed, clients } = this.#parts
    const { current } = testbed.watch
    const keys = current === undefined ? [] : keysOf(current)
    return {
      reads: (since) => {
        const seen = clients.samples.filter(({ takenAt }) => takenAt >= since)
        const opened = seen.filter(({ ticket }) => keys.some((key) => isUnderKey(ticket, key)))
        return { tried: seen.length, opened: opened.length }
      },
    }
  }

  /** Tickets that every machine has to refuse, as tried so far: the run is judged by whether one was accepted. */
  get retired(): number {
    return this.#parts.clients.tally.retired.tried
  }

  /** Whether every machine has proved the generation that the secret holds. */
  get isProved(): boolean {
    const { committed, confirmed } = this.#parts.view() ?? { committed: 0, confirmed: -1 }
    return confirmed >= committed
  }

  /** @throws RehearsalError always: what must not come about has. */
  fail(what: string): never {
    throw new RehearsalError(what)
  }

  /** As {@link Waiting.forbid}. */
  forbid(wrong: () => string | undefined): () => void {
    return this.#waiting.forbid(wrong)
  }

  /** As {@link Waiting.until}. */
  until(what: string, isSo: () => boolean): Promise<void> {
    return this.#waiting.until(what, isSo)
  }

  /** By command or by association. */
  #runsOn({ id }: Machine): readonly ExecutionRecord[] {
    const { commands, associations } = this.#parts.testbed.aws.history
    const runs = [...commands.flatMap(({ invocations }) => invocations), ...associations]
    return runs.filter(({ instance }) => instance === id)
  }

  #visits({ id }: Machine): number {
    const to = Object.entries(this.#parts.clients.tally.pairs).filter(([pair]) => pair.split(' ')[1] === id)
    return to.reduce((sum, [, times]) => sum + times, 0)
  }
}
