import { TAG_KEY } from '../../lambda/fleet/configuration.ts'
import { CALENDAR_ARN } from '../../lambda/ring/configuration.ts'
import { PATTERNS } from '../fleet/machines.ts'

export type Json = Readonly<Record<string, unknown>>

/** What the released template asks of who deploys it. */
export interface Parameter {
  /** What the template is synthesised with, which is then replaced by a reference to the parameter; of one that only decides what is there, none. */
  readonly stand?: string
  /** Where it stands, with `*` in its place, of a word that is found elsewhere too. */
  readonly within?: readonly string[]
  /** Whether it holds several, with commas between them, of which the stand-in is one. */
  readonly isList?: boolean
  readonly default?: string
  /** CloudFormation's AllowedPattern: no value gets where it could end a text of JSON, of a shell or of Python. */
  readonly pattern: string
  /** CloudFormation's MaxLength. */
  readonly most?: number
  readonly description: string
}

/** Between the items of a list. A pattern holds the whole of it, the number of its items too, as no type of CloudFormation's does. */
export const COMMA = ','

/** @param item pattern of one, that no comma is in */
function listOf(item: string, most: number): string {
  return `^(|(${item})(${COMMA}(${item})){0,${most - 1}})$`
}

/** Of a tag's value. */
const VALUE = '[A-Za-z0-9_.:/=+@-]{1,256}'
/** Of an alarm's name: what neither ends a text of JSON nor an item of a list. */
const OF_ALARM = '[A-Za-z0-9_.:/=+@()#%&*?!<>|~^;\\[\\]-]'
const ALARM = `(arn:[\\w-]+:cloudwatch:[\\w-]+:\\d{12}:alarm:)?${OF_ALARM}(( |${OF_ALARM}){0,253}${OF_ALARM})?`
/** Of a role's name without a comma. */
const ROLE = '[\\w+=.@-]{1,64}'

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
    pattern: `^${VALUE}$`,
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
  CanaryTag: {
    stand: 'x0canary0x',
    default: '',
    pattern: `^(|${TAG_KEY.source.slice(1, -1)})$`,
    description:
      'Key of a second tag, of the machines that each new generation and document goes to first. Empty: no canary',
  },
  CanaryValues: {
    stand: 'x0first0x',
    isList: true,
    default: '',
    pattern: listOf(VALUE, 5),
    description: 'Its values, one to five, with commas between them',
  },
  CanarySoak: {
    stand: '61',
    within: ['"soak":*'],
    default: '900',
    pattern: '^([1-9]\\d{0,2}|[1-5]\\d{3}|6[0-2]\\d{2}|6300)$',
    description:
      "Seconds from the proof of the canary's last machine until the others follow, 6300 (an hour and three quarters) at most",
  },
  StopOnAlarms: {
    stand: 'x0alarm0x',
    isList: true,
    default: '',
    pattern: listOf(ALARM, 10),
    description:
      'Names or ARNs of up to ten CloudWatch alarms, with commas between them: while one is in the state ALARM, or is not there, the others wait',
  },
  Calendars: {
    stand: 'arn:aws:ssm:eu-west-1:123456789012:document/x0calendar0x',
    isList: true,
    default: '',
    pattern: listOf(CALENDAR_ARN, 10),
    description:
      'ARNs of up to ten Change Calendars, with commas between them: while one is closed, only a revoke makes a new generation',
  },
  AccessWatch: {
    default: 'off',
    pattern: '^(off|on)$',
    description:
      '`on`: alarms page when any other principal reads the ring or changes it. Wants a trail of CloudTrail with management events, reads too',
  },
  AccessReaders: {
    stand: 'x0reader0x',
    isList: true,
    default: '',
    pattern: listOf(ROLE, 20),
    // EventBridge has 2,048 characters for the pattern of a rule, and the other names in it take the rest.
    most: 1000,
    description:
      'Names of roles, with commas between them and of 1,000 characters together, that may read the ring without a page, beside FleetRole',
  },
} as const satisfies Readonly<Record<string, Parameter>>

export type ParameterName = keyof typeof PARAMETERS
