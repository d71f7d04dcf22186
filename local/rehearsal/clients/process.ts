import { StapleRound } from '../staples/staple-load.ts'
import type { FromClients, ToClients } from './messages.ts'
import { ResumptionLoad } from './resumption-load.ts'

/** The clients' own process: their handshakes must not wait for the loopback AWS, nor it for them. */
const TELL_EVERY = 200

let acting: { readonly crowd: ResumptionLoad; readonly round: StapleRound } | undefined

process.on('message', (message: ToClients) => {
  void receive(message)
})
// Whoever started us is gone: so are we.
process.on('disconnect', () => process.exit(0))

async function receive(message: ToClients): Promise<void> {
  switch (message.type) {
    case 'start':
      return start(message)
    case 'ring':
      return acting?.crowd.see(message.view)
    case 'staples':
      return acting?.round.enter(message.phase)
    case 'finish':
      return finish()
  }
}

function start({ hosts, authority, certificates, ...manners }: Extract<ToClients, { type: 'start' }>): void {
  const crowd = new ResumptionLoad({ hosts, authority, ...manners, tell })
  const round = new StapleRound({ hosts, authority, certificates, tell })
  acting = { crowd, round }
  crowd.start()
  const say = () => tell({ type: 'tally', tally: crowd.tally, staples: round.tally })
  setInterval(say, TELL_EVERY).unref()
}

async function finish(): Promise<void> {
  if (acting === undefined) return
  const { crowd, round } = acting
  const [tally] = await Promise.all([crowd.finish(), round.finish()])
  tell({ type: 'done', tally, staples: round.tally })
}

function tell(message: FromClients): void {
  process.send?.(message)
}
