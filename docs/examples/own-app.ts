import { App, Stack } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { OcspStapling, TicketKeyRing } from 'ticketring'

// A ring and a set of staples for one fleet of HAProxy machines, in a stack of your own. Durations are in seconds.
const HOUR = 3600
const TARGETS = { tag: 'ticketring', values: ['edge'], minInstances: 2 }
const HAPROXY = {
  socket: '/run/haproxy/admin.sock',
  owner: 'root',
  verify: [{ address: 'unix:/run/haproxy/edge.sock', serverName: 'www.example.com' }],
}

const stack = new Stack(new App(), 'Terminators', { suppressTemplateIndentation: true })
const fleetRole = Role.fromRoleName(stack, 'Fleet', 'terminators')
const operations = {
  alarms: {
    page: new SnsAction(new Topic(stack, 'Page', { enforceSSL: true })),
    runbookUrl: 'https://wiki.example.com/ticketring/runbook',
  },
  logs: { retentionDays: 90 },
}

const ring = new TicketKeyRing(stack, 'Edge', {
  name: 'edge',
  targets: TARGETS,
  servers: { haproxy: { ...HAPROXY, keys: '/run/ticketring/edge/haproxy.keys', keySize: 80 } },
  rotation: { every: 4 * HOUR, ticketLifetime: 2 * HOUR, maxKeyAge: 12 * HOUR, trigger: 'schedule' },
  operations,
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
  operations,
})
staples.grantRead(fleetRole)
