import { App, Duration, Stack } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { OcspStapling, TicketKeyRing } from 'ticketring'

// A ring and a set of staples for one fleet of HAProxy machines, in a stack of your own.
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
  rotation: { every: Duration.hours(4), ticketLifetime: Duration.hours(2) },
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
    },
  ],
  operations,
})
staples.grantRead(fleetRole)

// An alarm of your own beside those that are made: on half a day without a fresh key.
ring.metricKeyAge({ period: Duration.minutes(15) }).createAlarm(stack, 'KeyTooOld', {
  threshold: Duration.hours(12).toSeconds(),
  evaluationPeriods: 1,
})
