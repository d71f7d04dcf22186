import { CfnOutput } from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/** What the command line finds a ring or a set by: `<Name>Function` and the like. */
export interface Told {
  readonly [name: string]: readonly [value: string, description: string]
}

/** Head of the outputs of a ring or set; of a set its name is that of its function, less `ticketring-`. */
export function outputHead(name: string): string {
  return name.replace(/(^|-)([a-z0-9])/g, (_, __, letter: string) => letter.toUpperCase())
}

/** Outputs of the stack: below their construct, or two rings named `a` and `a-status` would meet in one id. */
export function tellOutputs(construct: Construct, name: string, outputs: Told): void {
  const head = outputHead(name)
  for (const [each, [value, description]] of Object.entries(outputs))
    new CfnOutput(construct, `Output${each}`, { value, description }).overrideLogicalId(`${head}${each}`)
}
