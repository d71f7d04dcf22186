import { readContext, type Synthesis, synthesise } from '../../infra/app/build-app.ts'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import type { RingConfiguration } from '../../infra/ring/configuration.ts'
import { TERMINATORS } from './machines/kinds.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { StackPlan } from './stack-plan.ts'
import { stapled } from './staples/staple-set.ts'
import { WAVE } from './timing.ts'

/** Whom alarms tell where cdk.json names no topic: without one, which of them page could not be seen. */
const TOPICS = {
  page: 'arn:aws:sns:us-east-1:111122223333:page',
  ticket: 'arn:aws:sns:us-east-1:111122223333:ticket',
}

/** Where cdk.json has none: a machine that has the second tag, as operators give it. */
const CANARY = { tag: 'canary', values: ['yes'], soak: 900, stopOnAlarms: [] }

/** HAProxy with a listener more, which demands a client certificate: where it really is, a machine's own settings say. */
function guardedToo(
  example = TERMINATORS.haproxy.example as RingConfiguration['servers']['haproxy'],
): object {
  const [open] = example?.verify ?? []
  const guarded = { address: 'unix:/run/haproxy/guarded.sock', clientCertificate: 'required' }
  return { ...example, verify: [open, { ...open, ...guarded }] }
}

/**
 * What cdk.json configures, with the rehearsal's certificates; fewer machines lower its minInstances and widen its first waves, and a
 * kind that it does not name comes in with what that kind's example says.
 */
export function synthesiseFor(plan: StackPlan, outdir: string): Synthesis {
  const { regions, rings, stapling, alarms, ...rest } = parseConfiguration(readContext().ticketring)
  const examples = Object.fromEntries(plan.kinds.map((kind) => [kind, TERMINATORS[kind].example]))
  const fitted = rings.map(({ targets, servers, ...ring }) => ({
    ...ring,
    // Nothing could be shown of machines that only look.
    mode: 'enforce' as const,
    ...(plan.existing === undefined ? {} : { existing: plan.existing }),
    ...(plan.canary === true ? { canary: ring.canary ?? CANARY } : {}),
    ...(plan.guarded === true ? { mixedClientAuthentication: 'checked' } : {}),
    servers: plan.servers ?? {
      ...examples,
      ...servers,
      ...(plan.guarded === true ? { haproxy: guardedToo(servers.haproxy) } : {}),
    },
    targets: {
      ...targets,
      minInstances: Math.min(targets.minInstances ?? 1, plan.machines),
      maxConcurrency: WAVE,
    },
  }))
  const [ring] = fitted
  if (ring === undefined) throw new RehearsalError('cdk.json configures no ring', 'Put one into its context')
  const configuration = {
    ...rest,
    alarms: alarms.page === undefined ? TOPICS : alarms,
    rings: fitted,
    stapling: [stapled(ring, stapling[0], plan)],
    terminationProtection: false,
  }
  return synthesise({ ...configuration, ...(regions.length > 0 ? { regions } : {}) }, outdir)
}
