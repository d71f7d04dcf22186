/** Stands between the script and HAProxy's runtime socket: counts the commands, and can answer in its place. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export class SocketRelay {
  readonly path: string
  /** Every command that came, in order. */
  readonly commands: string[] = []
  /** Answers a line of commands itself; `undefined` lets HAProxy answer. */
  answer: (line: string) => string | undefined = () => undefined
  /** Called on a line of commands before HAProxy has it: to hold the script at this point. */
  before: (line: string) => void | Promise<void> = () => {}
  /** Called once HAProxy has answered a line of commands, before the script has the answer. */
  after: (line: string) => void = () => {}
  readonly #server: Server

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
  }

  static async start(path: string, target: string): Promise<SocketRelay> {
    // Half-open: the script ends its side before the answer is complete.
    const server = createServer({ allowHalfOpen: true })
    const relay = new SocketRelay(path, server)
    server.on('connection', (client) => relay.#relay(client, target))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    return relay
  }

  /** How many keys were pushed. */
  get pushes(): number {
    return this.commands.filter((command) => command.startsWith('set ssl tls-key')).length
  }

  stop(): void {
    this.#server.close()
  }

  #relay(client: Socket, target: string): void {
    client.on('error', () => client.destroy())
    client.once('data', async (chunk) => {
      const line = chunk.toString()
      this.commands.push(...line.trim().split(';'))
      await this.before(line)
      const own = this.answer(line)
      if (own !== undefined) client.end(own)
      else forward(line, target, client, this.after)
    })
  }
}

function forward(line: string, target: string, client: Socket, after: (line: string) => void): void {
  const server = connect(target, () => server.write(line))
  server.once('data', () => after(line))
  server.pipe(client)
}
