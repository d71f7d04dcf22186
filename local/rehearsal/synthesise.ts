import { readContext, type Synthesis, synthesise } from '../../infra/app/build-app.ts'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { RehearsalError } from './rehearsal-error.ts'
import { stapled } from './staples/staple-set.ts'

/** What cdk.json configures, with the show's certificates; fewer machines lower its minInstances. */
export function synthesiseFor(machines: number, outdir: string): Synthesis {
  const { regions, rings, stapling, ...rest } = parseConfiguration(readContext().ticketring)
  const lowered = rings.map(({ targets, ...ring }) => ({
    ...ring,
    targets: { ...targets, minInstances: Math.min(targets.minInstances ?? 1, machines) },
  }))
  const [ring] = lowered
  if (ring === undefined) throw new RehearsalError('cdk.json configures no ring', 'Put one into its context')
  const configuration = { ...rest, rings: lowered, stapling: [stapled(ring, stapling[0])] }
  return synthesise({ ...configuration, ...(regions.length > 0 ? { regions } : {}) }, outdir)
}
