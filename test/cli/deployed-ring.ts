import { afterAll, beforeAll } from 'vitest'
import { DeployedFunction } from '../handlers/deployed-function.ts'
import { accessTo, asOperator, type Ended, type OperatorAccess } from './operator.ts'

/** A ring that is deployed on the loopback for the tests of a file, and the command line over it. */
export interface DeployedRing {
  readonly deployed: DeployedFunction
  readonly access: OperatorAccess
  readonly ticketring: (...words: readonly string[]) => Promise<Ended>
}

/** To be called where a file begins; what it gives is there once its tests run. */
export function deployedRing(): DeployedRing {
  let started: DeployedFunction | undefined
  const theOne = () => {
    if (started === undefined) throw new Error('no test runs yet')
    return started
  }
  beforeAll(async () => {
    started = await DeployedFunction.start()
  })
  afterAll(() => started?.stop())
  return {
    get deployed() {
      return theOne()
    },
    get access() {
      return accessTo(theOne().testbed.aws)
    },
    ticketring: (...words) => asOperator(accessTo(theOne().testbed.aws), words),
  }
}
