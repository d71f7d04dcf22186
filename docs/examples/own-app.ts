import { type App, Stack } from 'aws-cdk-lib'
import { Role } from 'aws-cdk-lib/aws-iam'
import { OcspStapling } from '../../infra/ocsp-stapling.ts'
import { TicketKeyRing } from '../../infra/ticket-key-ring.ts'

const HOUR = 3600
const TARGETS = { tag: 'ticketring', values: ['edge'], minInstances: 2 }
const HAPROXY = {
  socket: '/run/haproxy/admin.sock',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8444', serverName: 'www.example.com' }],
}

/** A ring and a set of staples for one fleet of HAProxy machines, in a stack of your own. */
export function buildTerminators(app: App): Stack {
  const stack = new Stack(app, 'Terminators')
  const fleetRole = Role.fromRoleName(stack, 'Fleet', 'terminators')
  const ring = new TicketKeyRing(stack, 'Edge', {
    name: 'edge',
    targets: TARGETS,
    servers: { haproxy: { ...HAPROXY, keys: '/run/ticketring/edge/haproxy.keys', keySize: 80 } },
    rotation: { every: 4 * HOUR, ticketLifetime: 2 * HOUR, maxKeyAge: 12 * HOUR, trigger: 'schedule' },
  })
  ring.grantRead(fleetRole)
  const staples = new OcspStapling(stack, 'Web', {
    name: 'web',
    targets: TARGETS,
    servers: {
      haproxy: {
        ...HAPROXY,
        certificates: ['/etc/haproxy/edge.pem'],
        reload: 'systemctl reload haproxy',
      },
    },
    certificates: [
      {
        name: 'www',
        chain: { parameter: '/tls/www/chain' },
        hash: 'sha1',
        revoked: 'staple',
        mustStaple: 'withdraw',
      },
    ],
  })
  staples.grantRead(fleetRole)
  return stack
}
