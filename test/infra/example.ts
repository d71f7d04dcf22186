type Json = Readonly<Record<string, unknown>>

export interface ExampleRing {
  readonly name?: string
  readonly targets?: Json
  readonly servers?: Json
  readonly rotation?: Json
  readonly fleetRoles?: readonly string[]
}

export const HAPROXY = {
  keys: '/run/ticketring/edge/haproxy.keys',
  socket: '/run/haproxy/admin.sock',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8444', serverName: 'www.example.com' }],
}

export const NGINX = {
  keys: '/run/ticketring/edge',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8445', serverName: 'www.example.com' }],
}

/** A sound ring as somebody would write it, with some of it replaced. */
export function exampleRing(replaced: ExampleRing = {}) {
  return {
    name: 'edge',
    targets: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
    servers: { haproxy: HAPROXY, nginx: NGINX },
    fleetRoles: ['terminators'],
    rotation: {},
    ...replaced,
  }
}
