/** A machine finds a service where synth and the AWS SDK do, and a Region that synth refuses is none to it either. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SSMClient } from '@aws-sdk/client-ssm'
import { RegionInfo } from 'aws-cdk-lib/region-info'
import { expect, it } from 'vitest'
import { endpointSuffix } from '../../infra/fleet/regions.ts'

const AGENT = fileURLToPath(new URL('../../agent', import.meta.url))
const ENDPOINTS = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from ticketring.aws import endpoint_of
from ticketring.result import Failure
from ticketring.settings import Settings

def endpoint(region, settings):
    try:
        return endpoint_of("ssm", region, Settings(settings, "own"), {})
    except Failure as failure:
        return f"{failure.code}: {failure.detail}"

print(json.dumps([endpoint(region, settings) for region, settings in json.load(sys.stdin)]))
`

/** Where the machine's program asks Systems Manager, or its words of why it does not. */
function endpointsOnMachine(asked: readonly (readonly [region: string, settings: object])[]): string[] {
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-I', '-c', ENDPOINTS, AGENT], {
    input: JSON.stringify(asked),
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

it('of every Region that the CDK knows, a machine asks where the SDK does', () => {
  const regions = RegionInfo.regions.map(({ name }) => name)
  const wanted = regions.map((region) => {
    const { url } = new SSMClient({ region }).config.endpointProvider({ Region: region })
    return `https://${url.hostname}`
  })
  expect(regions).toContain('eusc-de-east-1')
  expect(endpointsOnMachine(regions.map((region) => [region, {}]))).toEqual(wanted)
})

const UNKNOWN = ['mars-north-1', 'eu-wset-1', 'us-isox-east-1', 'eusc-fr-east-1', 'aws-global']

it('of a Region whose partition is not known, a machine asks no endpoint that it would have to guess', () => {
  expect(UNKNOWN.map(endpointSuffix)).toEqual(UNKNOWN.map(() => undefined))
  const answers = endpointsOnMachine(UNKNOWN.map((region) => [region, {}]))
  expect(answers).toEqual(
    UNKNOWN.map(
      (region) => `config-invalid: wanted REGION of a known partition, or ENDPOINT_SSM, found ${region}`,
    ),
  )
})

it('of such a Region, it asks the endpoint that its settings name', () => {
  const ENDPOINT_SSM = 'https://ssm.example'
  expect(endpointsOnMachine(UNKNOWN.map((region) => [region, { ENDPOINT_SSM }]))).toEqual(
    UNKNOWN.map(() => ENDPOINT_SSM),
  )
})
