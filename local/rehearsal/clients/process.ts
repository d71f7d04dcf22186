import { FleetAvailability } from './availability.ts'
import { Load } from './load.ts'
import type { FromClients, ToClients } from './messages.ts'
import { ResumptionProbe } from './resumption-probe.ts'
import { StapleProbe } from './staple-probe.ts'

/** The clients' own process: their handshakes must not wait for the loopback AWS, nor it for them. */
const TELL_EVERY = 200

type Start = Extract<ToClients, { type: 'start' }>

let work: ReturnType<typeof begin> | undefined

process.on('message', (message: ToClients) => {
  void receive(message)
})
// What started us is gone: so are we.
process.on('disconnect', () => process.exit(0))

async function receive(message: ToClients): Promise<void> {
  switch (message.type) {
    case 'start':
      work = begin(message)
      return
    case 'machine':
      return work?.availability.set(message.id, message.availability)
    case 'ring':
      return work?.resumptions.see(message.view)
    case 'staples':
      return work?.staples.enter(message.phase)
    case 'finish':
      return finish()
  }
}

function begin({ hosts, authority, certificates, lifetime, lanes, absent, holdsBack, versions }: Start) {
  const availability = new FleetAvailability(absent)
  const seen = { hosts, authority, tell, availability }
  const resumptions = new ResumptionProbe({ ...seen, lifetime, holdsBack, versions })
  const stapled = hosts.filter((host) => host.stapled)
  const staples = new StapleProbe({ ...seen, hosts: stapled, certificates })
  const loads = [new Load(resumptions, lanes), new Load(staples, 1)]
  for (const load of loads) load.start()
  const tallies = () => ({ tally: resumptions.tally, staples: staples.tally })
  setInterval(() => tell({ type: 'tally', ...tallies() }), TELL_EVERY).unref()
  return { resumptions, staples, availability, loads, tallies }
}

async function finish(): Promise<void> {
  if (work === undefined) return
  const { loads, tallies } = work
  await Promise.all(loads.map((load) => load.finish()))
  tell({ type: 'done', ...tallies() })
}

function tell(message: FromClients): void {
  process.send?.(message)
}
