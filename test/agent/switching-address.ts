/** One address that two servers answer, as after a reload that left a process behind. */
import { connect, createServer, type Server } from 'node:net'

export class Door {
  readonly #server: Server
  #came = 0

  private constructor(server: Server) {
    this.#server = server
  }

  /** The first connection is led to the port `first`, each later one to `later`. */
  static async open(first: number, later: number): Promise<Door> {
    const server = createServer()
    const door = new Door(server)
    server.on('connection', (client) => {
      door.#came += 1
      const behind = connect(door.#came === 1 ? first : later, '127.0.0.1')
      client.pipe(behind).pipe(client)
      for (const [end, other] of [
        [client, behind],
        [behind, client],
      ] as const)
        end.on('error', () => other.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return door
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** The next one is the first again. */
  reset(): void {
    this.#came = 0
  }

  stop(): void {
    this.#server.close()
  }
}
