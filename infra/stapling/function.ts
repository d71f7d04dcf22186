import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import {
  type ChainSource,
  STAPLES_VARIABLE,
  type StapleConfiguration,
  serialiseStapleConfiguration,
} from '../../lambda/staples/configuration.ts'
import { arnOf, type Wildcards } from '../fleet/arns.ts'
import type { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import { DELIVERY_SECONDS, FleetFunction, type FleetFunctionProps } from '../fleet/function.ts'
import { stapleRecordName, staplesName, staplesStatusName, storePath } from '../fleet/names.ts'
import { networkStatements, networkWildcards } from '../fleet/network-access.ts'
import type { LogKeeping } from '../fleet/operations.ts'
import type { ChainConfiguration } from './certificate-configuration.ts'
import { chainStatements, chainWildcards } from './chain-access.ts'
import type { StaplingConfiguration } from './configuration.ts'
import { executionOf } from './document.ts'

/** Why the names of staples end in a wildcard. */
export const SETS_OWN = "The set's own staples: which certificates there are is known only from their chains"

interface StapleFunctionProps {
  readonly set: StaplingConfiguration
  readonly document: FleetDocument
  readonly delivery: FleetDelivery
  readonly logs: LogKeeping | undefined
}

/** Creates the function that keeps one set's staples fresh. */
export function createStapleFunction(
  scope: Construct,
  id: string,
  props: StapleFunctionProps,
): FleetFunction {
  const { set, delivery } = props
  const { name, vpc } = set
  const functionName = staplesName(name)
  const store = arnOf(scope, 'ssm', `parameter${storePath(name)}/*`)
  return new FleetFunction(scope, id, {
    name: functionName,
    description: `Keeps the OCSP staples of set ${name} fresh and has the fleet prove it`,
    entry: 'staple.ts',
    // Measured for 1,000 certificates due at once: most of it is certificates and responses in memory.
    memory: 512,
    logs: props.logs,
    ...configurationParts(stapleConfiguration(props)),
    role: { description: `Refreshes the OCSP staples of set ${name}`, policy: 'staple' },
    statements: [
      ...chainStatements(scope, set),
      new PolicyStatement({
        sid: 'KeepTheStaples',
        actions: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:PutParameter'],
        resources: [store],
      }),
      ...delivery.statements(),
      new PolicyStatement({
        sid: 'KeepTheDeliveryRecord',
        actions: ['ssm:GetParameter', 'ssm:PutParameter'],
        resources: [arnOf(scope, 'ssm', `parameter${stapleRecordName(name)}`)],
      }),
      ...(vpc === undefined ? [] : networkStatements(scope, vpc, functionName)),
    ],
    wildcards: {
      ...wildcards(scope, delivery.wildcards(), store, vpc !== undefined),
      ...chainWildcards(scope, set),
    },
    ...(vpc === undefined ? {} : { network: vpc }),
  })
}

/** Creates the function that looks at one set and can do nothing else: it writes nothing but its log. */
export function createStapleStatusFunction(
  scope: Construct,
  id: string,
  props: StapleFunctionProps,
): IFunction {
  const { set, delivery } = props
  const { name, vpc } = set
  const functionName = staplesStatusName(name)
  const store = arnOf(scope, 'ssm', `parameter${storePath(name)}/*`)
  const { handler } = new FleetFunction(scope, id, {
    name: functionName,
    description: `Looks at the OCSP staples of set ${name}`,
    entry: 'staple.ts',
    looks: true,
    memory: 512,
    logs: props.logs,
    ...configurationParts(stapleConfiguration(props)),
    role: { description: `Looks at the OCSP staples of set ${name}`, policy: 'look' },
    statements: [
      ...chainStatements(scope, set),
      new PolicyStatement({ sid: 'ReadTheStaples', actions: ['ssm:GetParameters'], resources: [store] }),
      ...delivery.lookStatements(),
      new PolicyStatement({
        sid: 'ReadTheDeliveryRecord',
        actions: ['ssm:GetParameter'],
        resources: [arnOf(scope, 'ssm', `parameter${stapleRecordName(name)}`)],
      }),
      // `explain` may have to fetch an issuer from where the staple function would.
      ...(vpc === undefined ? [] : networkStatements(scope, vpc, functionName)),
    ],
    wildcards: {
      ...wildcards(scope, delivery.lookWildcards(), store, vpc !== undefined),
      ...chainWildcards(scope, set),
    },
    ...(vpc === undefined ? {} : { network: vpc }),
  })
  return handler
}

function wildcards(scope: Construct, delivery: Wildcards, store: string, inVpc: boolean): Wildcards {
  const known = {
    ...delivery,
    [store]: SETS_OWN,
  }
  if (!inVpc) return known
  return { ...known, ...networkWildcards(scope), '*': `${known['*']}; nor do ec2:Describe calls` }
}

/** Lambda takes 4 kB of environment, names included. */
const MOST_ENVIRONMENT = 3900
const FILE = 'certificates.json'

/** The function's environment, and the file that holds the certificates where there are too many for it. */
function configurationParts(
  configuration: StapleConfiguration,
): Pick<FleetFunctionProps, 'variable' | 'file'> {
  const text = serialiseStapleConfiguration(configuration)
  if (Buffer.byteLength(text) <= MOST_ENVIRONMENT) return { variable: [STAPLES_VARIABLE, text] }
  const { certificates, ...others } = configuration
  return {
    variable: [STAPLES_VARIABLE, JSON.stringify({ ...others, certificates: { file: FILE } })],
    file: { name: FILE, text: JSON.stringify({ certificates }) },
  }
}

function stapleConfiguration({ set, document }: StapleFunctionProps): StapleConfiguration {
  const { name, targets, certificates, servers, refresh, allow } = set
  const { every, least, most } = refresh
  return {
    set: name,
    certificates: certificates.map(({ chain, ...certificate }) => ({
      ...certificate,
      chain: sourceOf(chain),
    })),
    document: { name: document.name, version: document.version, script: document.script },
    target: targets,
    store: storePath(name),
    record: stapleRecordName(name),
    timing: { tick: every, least, most, delivery: DELIVERY_SECONDS, execution: executionOf(servers) },
    haproxy: servers.haproxy !== undefined,
    allow,
  }
}

function sourceOf({ key: _, ...source }: ChainConfiguration): ChainSource {
  return source
}
