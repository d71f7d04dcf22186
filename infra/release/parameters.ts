import { PATTERNS } from '../fleet/machines.ts'

/** What the released template asks of who deploys it. */
export interface Parameter {
  /** What the template is synthesised with, which is then replaced by a reference to the parameter. */
  readonly stand: string
  /** Where it stands, with `*` in its place, of a word that is found elsewhere too. */
  readonly within?: readonly string[]
  readonly default?: string
  /** CloudFormation's AllowedPattern: no value gets where it could end a text of JSON, of a shell or of Python. */
  readonly pattern: string
  readonly description: string
}

/** Stand-ins are sound values of the configuration, and are found nowhere else in a template. */
export const PARAMETERS = {
  Mode: {
    stand: 'observe',
    within: ['MODE=*', '"mode":"*"'],
    default: 'observe',
    pattern: '^(observe|enforce)$',
    description:
      '`observe`: machines fetch and check the ring, say whether they would take it, and load nothing. `enforce`: their servers run with it',
  },
  RingName: {
    stand: 'x0ring0x',
    default: 'edge',
    pattern: '^(?!.*-(rotation|staples))[a-z0-9][a-z0-9-]{0,28}$',
    description:
      'Name of the ring, unique in account and Region, without "-rotation" and "-staples": of secret, functions and alarms',
  },
  TagValue: {
    stand: 'x0value0x',
    default: 'edge',
    pattern: '^[A-Za-z0-9_.:/=+@-]{1,256}$',
    description: 'Machines of the ring carry the tag `ticketring` with this value',
  },
  HAProxySocket: {
    stand: '/run/x0haproxy0x/admin.sock',
    default: '/run/haproxy/admin.sock',
    pattern: PATTERNS.path,
    description: "HAProxy's runtime socket, level admin",
  },
  HAProxyListener: {
    stand: 'unix:/run/x0haproxy0x/edge.sock',
    default: 'unix:/run/haproxy/edge.sock',
    pattern: PATTERNS.listener,
    description: 'Where a handshake shows what HAProxy encrypts with: unix:/PATH or ADDRESS:PORT',
  },
  NginxListener: {
    stand: '127.0.0.1:61997',
    default: '127.0.0.1:8445',
    pattern: PATTERNS.listener,
    description: 'Where a handshake shows what nginx encrypts with: unix:/PATH or ADDRESS:PORT',
  },
  ServerName: {
    stand: 'x0host0x.example.com',
    pattern: PATTERNS.serverName,
    description: 'The host name that these handshakes ask for',
  },
} as const satisfies Readonly<Record<string, Parameter>>
