import { readFileSync } from 'node:fs'
import { App, Validations } from 'aws-cdk-lib'
import type { CloudAssembly } from 'aws-cdk-lib/cx-api'
import { AwsSolutionsChecks } from 'cdk-nag'
import { type Configuration, parseConfiguration } from './configuration.ts'
import { readContext } from './context.ts'
import { refuseOversize } from './limits.ts'
import { TicketringStack } from './stack.ts'
import { alarmsText, ringSummary, type SynthesisedRing, type SynthesisedSet, setSummary } from './summary.ts'

export { readContext } from './context.ts'
export type { SynthesisedRing, SynthesisedSet } from './summary.ts'

export interface Template extends Readonly<Record<string, unknown>> {
  readonly Resources: Readonly<Record<string, unknown>>
}

export interface Synthesis {
  /** The CloudFormation template of the stack with rings and sets. */
  readonly template: Template
  /** The template of the stack that watches it. */
  readonly watch: Template
  /** Path of the cloud assembly: the template, and the functions' bundles as `asset.<hash>` directories. */
  readonly assembly: string
  /** What each ring and each set is and may touch, for a person. */
  readonly summary: readonly string[]
  readonly rings: readonly SynthesisedRing[]
  readonly stapling: readonly SynthesisedSet[]
}

interface SynthesisOptions {
  /** Whether to bundle the functions (the default): a test of the template alone does without. */
  readonly bundle?: boolean
}

/** Builds the app from a parsed configuration, with cdk-nag's AwsSolutions rules: a finding fails the synthesis. */
export function buildApp(
  configuration: Configuration,
  { app = createApp() } = {},
): {
  readonly app: App
  readonly stack: TicketringStack
} {
  const stack = new TicketringStack(app, configuration)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return { app, stack }
}

/** @throws TicketringError `configuration-invalid` that lists the limits of CloudFormation and IAM that are passed. */
export function synthesiseWithinLimits(app: App): CloudAssembly {
  const assembly = app.synth()
  for (const { templateFullPath } of assembly.stacks) refuseOversize(readFileSync(templateFullPath, 'utf8'))
  return assembly
}

/**
 * Synthesises the app into `outdir`, as `npx cdk synth` does, but without CDK's own validation of the template: that takes
 * seconds, and nothing is deployed from here.
 * @param configuration the context `ticketring`
 * @throws TicketringError `configuration-invalid` that lists every problem
 */
export function synthesise(
  configuration: unknown,
  outdir: string,
  { bundle = true }: SynthesisOptions = {},
): Synthesis {
  const parsed = parseConfiguration(configuration)
  const { app, stack } = buildApp(parsed, { app: createApp({ outdir, bundle, validate: false }) })
  const assembly = synthesiseWithinLimits(app)
  return {
    template: assembly.getStackByName(stack.stackName).template,
    watch: assembly.getStackByName(stack.watch.stackName).template,
    assembly: assembly.directory,
    summary: summarise(parsed, stack),
    rings: stack.rings,
    stapling: stack.stapling,
  }
}

/** What the app deploys, for a person. */
export function summarise(
  { alarms }: Configuration,
  { rings, stapling }: TicketringStack,
): readonly string[] {
  return [...rings.flatMap(ringSummary), ...stapling.flatMap(setSummary), alarmsText(alarms)]
}

/** An app with the feature flags of cdk.json, however it is started. */
export function createApp({
  outdir,
  bundle = true,
  validate = true,
}: {
  readonly outdir?: string
  readonly bundle?: boolean
  /** Whether CDK validates the template against CloudFormation's schemas and rules. */
  readonly validate?: boolean
} = {}): App {
  const { ticketring: _, ...flags } = readContext()
  return new App({
    analyticsReporting: false,
    builtinCloudFormationValidation: validate,
    context: {
      ...flags,
      // CDK's own check ends at the first limit, with a stack trace.
      '@aws-cdk/core:stackResourceLimit': 0,
      ...(bundle ? {} : { 'aws:cdk:bundling-stacks': [] }),
    },
    ...(outdir === undefined ? {} : { outdir }),
  })
}
