import { randomBytes } from 'node:crypto'
import type { Account } from './account.ts'
import { Authorisation } from './authorisation.ts'
import { AutoScaling } from './auto-scaling.ts'
import { Background } from './background-work.ts'
import { CallBook } from './caller.ts'
import { ChangeCalendars } from './change-calendars.ts'
import { CloudFormation } from './cloud-formation.ts'
import { CloudWatch } from './cloud-watch.ts'
import { CloudWatchLogs } from './cloudwatch-logs.ts'
import type { LoopbackOptions } from './contract.ts'
import { CredentialStore } from './credentials.ts'
import { FaultPlan } from './faults.ts'
import { Fleet } from './fleet.ts'
import { Functions } from './functions.ts'
import { Metadata } from './metadata.ts'
import { ParameterStore } from './parameter-store.ts'
import { PolicyBook } from './policies.ts'
import { queryOperations } from './query-api.ts'
import { Rotator } from './rotation.ts'
import { SecretStore } from './secret-store.ts'
import { SecretsManager } from './secrets-manager.ts'
import { readStack } from './stack.ts'
import { StateManager } from './state-manager.ts'
import { SystemsManager } from './systems-manager.ts'
import { readWholeTemplate, type TemplateResource } from './template.ts'
import { Wire } from './wire.ts'

/** What every service stands on. @throws LoopbackError for a template that uses what is not modelled. */
export function foundation(options: LoopbackOptions) {
  const { clock = Date.now, random = randomBytes, log = () => {}, timing = {} } = options
  const { account: id = '111122223333', region = 'us-east-1', stackName = 'loopback' } = options
  const account: Account = { id, region, now: clock, random }
  const policies = new PolicyBook()
  const around = { account, assembly: options.assembly, timing }
  const read = (resources: readonly TemplateResource[]) => readStack(resources, around)
  const declare = (template: unknown, known?: ReadonlyMap<string, TemplateResource>) => {
    const parameters = { ...options.parameters, 'AWS::StackName': stackName }
    const { resources, outputs } = readWholeTemplate(template, account, parameters, known)
    return { resources, outputs, stack: read(resources) }
  }
  return {
    account,
    declare,
    readStack: read,
    policies,
    log,
    timing,
    faults: new FaultPlan(clock),
    credentials: new CredentialStore(account),
    cloudFormation: new CloudFormation(account, stackName),
    calls: new CallBook(new Authorisation(account, policies), clock),
    pending: new Background(log),
  }
}

export type Foundation = ReturnType<typeof foundation>

/** Every service of the account, wired to one another; nothing runs yet. */
export function services(base: Foundation, options: LoopbackOptions, endpoint: () => string) {
  const { account, pending } = base
  const common = { ...base, background: pending.add }
  const functions = new Functions({ ...common, endpoint, wrap: options.wrapFunction })
  const fleet = new Fleet(base.faults)
  const rotator = new Rotator({
    ...common,
    invoke: (functionArn, event) => functions.invoke(functions.find(functionArn), event),
    retry: options.rotationRetry ?? { times: 2, delay: 60_000 },
  })
  const secrets = new SecretStore()
  const parameters = new ParameterStore(account)
  // Durations that are declared short fall below Run Command's own minimum.
  const minimumTimeout = options.timing === undefined ? 30 : 1
  return {
    functions,
    fleet,
    rotator,
    secrets,
    secretsManager: new SecretsManager(account, secrets, rotator),
    parameters,
    cloudWatch: new CloudWatch(account),
    calendars: new ChangeCalendars(account),
    stateManager: new StateManager({ ...common, fleet }),
    systemsManager: new SystemsManager({ ...common, fleet, parameters, minimumTimeout }),
  }
}

export type Services = ReturnType<typeof services>

/** The HTTP front of these services. */
export function front(base: Foundation, { functions, fleet, secretsManager, ...others }: Services): Wire {
  const { account, credentials } = base
  const systemsManager = {
    ...others.systemsManager.operations,
    ...others.parameters.operations,
    ...others.calendars.operations,
  }
  return new Wire({
    ...base,
    functions,
    services: [
      { name: 'secretsmanager', target: 'secretsmanager', operations: secretsManager.operations },
      {
        name: 'logs',
        target: 'Logs_20140328',
        operations: new CloudWatchLogs(account, functions).operations,
      },
      { name: 'ssm', target: 'AmazonSSM', operations: systemsManager },
      {
        name: 'monitoring',
        target: 'GraniteServiceVersion20100801',
        operations: others.cloudWatch.operations,
      },
    ],
    queries: queryOperations(account, new AutoScaling(account, fleet), base.cloudFormation),
    metadata: new Metadata(account, credentials, (id) => fleet.find(id)),
  })
}
