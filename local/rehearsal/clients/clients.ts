import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../../process-group.ts'
import { TSX } from '../project-root.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { StaplePhase } from '../staples/observed-staple.ts'
import type { Availability } from './availability.ts'
import { Incidents } from './incidents.ts'
import type { FromClients, ToClients } from './messages.ts'
import { emptyStapleTally, emptyTally, type StapleTally, type Tally } from './tally.ts'
import type { RingView } from './ticket-validity.ts'
import { TLS_VERSIONS, type TlsVersion } from './tls-client.ts'

/** A ticket that a machine issued, the first under its key in that TLS version. */
export interface Sample {
  readonly host: string
  readonly version: TlsVersion
  readonly ticket: Buffer
  /** ms */
  readonly takenAt: number
}

/** Clients that try tickets at the same time, unless told otherwise. */
const LANES = 4

type Start = Extract<ToClients, { type: 'start' }>

/** The process in which TLS clients act, as the rehearsal sees it. */
export class Clients {
  /** As of the last word from the clients, at most a fifth of a second ago. */
  tally: Tally = emptyTally()
  staples: StapleTally = emptyStapleTally()
  readonly samples: Sample[] = []
  readonly incidents = new Incidents()
  readonly #process: ChildProcess
  #done: ((tally: Tally) => void) | undefined
  #failed: ((reason: Error) => void) | undefined

  constructor() {
    const file = fileURLToPath(new URL('./process.ts', import.meta.url))
    this.#process = fork(file, {
      execArgv: TSX,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    })
    endWithUs(this.#process)
    this.#process.on('message', (message: FromClients) => this.#receive(message))
    this.#process.once('exit', (code) =>
      this.#failed?.(new RehearsalError(`The clients ended (exit ${code})`, 'Run it again')),
    )
  }

  start(world: Pick<Start, 'hosts' | 'authority' | 'lifetime'> & Partial<Start>): void {
    const usual = { certificates: [], lanes: LANES, absent: [], holdsBack: true, versions: TLS_VERSIONS }
    this.#tell({ ...usual, ...world, type: 'start' })
  }

  /** How a machine stands with them from now on. */
  setAvailability(id: string, availability: Availability): void {
    this.#tell({ type: 'machine', id, availability })
  }

  see(view: RingView): void {
    this.#tell({ type: 'ring', view })
  }

  /** What may be stapled from now on; the first phase lets in the clients that ask for staples. */
  enter(phase: StaplePhase): void {
    this.#tell({ type: 'staples', phase })
  }

  /** Lets them try what is retired, then end. */
  finish(): Promise<Tally> {
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      this.#tell({ type: 'finish' })
    })
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }

  #tell(message: ToClients): void {
    if (this.#process.connected) this.#process.send(message)
  }

  #receive(message: FromClients): void {
    if (message.type === 'sample') {
      const { host, version, ticket, takenAt } = message
      this.samples.push({ host, version, ticket: Buffer.from(ticket, 'base64'), takenAt })
    } else if (message.type === 'incident') {
      this.incidents.add(message.kind, message.text)
    } else {
      this.tally = message.tally
      this.staples = message.staples
      if (message.type === 'done') this.#done?.(message.tally)
    }
  }
}
