import type { FromClients, ToClients } from './client-messages.ts'
import { Crowd } from './crowd.ts'

/** The clients' own process: their handshakes must not wait for the loopback AWS, nor it for them. */
const TELL_EVERY = 200

let crowd: Crowd | undefined

process.on('message', (message: ToClients) => {
  void receive(message)
})
// Whoever started us is gone: so are we.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})

async function receive(message: ToClients): Promise<void> {
  switch (message.type) {
    case 'start': {
      const { hosts, authority, lifetime } = message
      const started = new Crowd({ hosts, authority, lifetime, tell })
      crowd = started
      started.start()
      setInterval(() => tell({ type: 'tally', tally: started.tally }), TELL_EVERY).unref()
      return
    }
    case 'ring':
      return crowd?.see(message.view)
    case 'finish':
      if (crowd !== undefined) tell({ type: 'done', tally: await crowd.finish() })
  }
}

function tell(message: FromClients): void {
  process.send?.(message)
}
