import type { SSMClient } from '@aws-sdk/client-ssm'
import { SignatureV4 } from '@smithy/signature-v4'
import { Fields } from '../kernel/fields.ts'
import { refusal } from './refusal.ts'

/** Milliseconds after which CloudWatch counts as silent: the next tick asks again. */
const PATIENCE = 15_000
const ANSWER = 'an answer of DescribeAlarms'

/**
 * DescribeAlarms of CloudWatch, in the JSON protocol. By hand, with what the client of Systems Manager knows of credentials and
 * endpoints: one client more would be a twentieth of the function's bundle.
 * @param endpoint of CloudWatch, where it is not the usual one.
 * @returns the state of each alarm that is there, metric alarms and composite ones, by its name.
 */
export async function describeAlarms(
  client: SSMClient,
  names: readonly string[],
  endpoint?: string,
): Promise<ReadonlyMap<string, string>> {
  try {
    const url = new URL(endpoint ?? (await usualEndpoint(client)))
    const body = JSON.stringify({
      AlarmNames: names,
      AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
      MaxRecords: 100,
    })
    const { headers } = await signed(client, url, body)
    const signal = AbortSignal.timeout(PATIENCE)
    return await statesIn(await fetch(url, { method: 'POST', headers, body, signal }))
  } catch (error) {
    throw refusal(error, `the states of the alarms ${names.join(', ')}`)
  }
}

/** CloudWatch stands beside Systems Manager in each partition, with the same marks of FIPS and dual stack. */
async function usualEndpoint({ config }: SSMClient): Promise<string> {
  const [Region, UseFIPS, UseDualStack] = await Promise.all([
    config.region(),
    config.useFipsEndpoint(),
    config.useDualstackEndpoint(),
  ])
  const { url } = config.endpointProvider({ Region, UseFIPS, UseDualStack })
  return url.href.replace('//ssm', '//monitoring')
}

async function signed({ config }: SSMClient, url: URL, body: string) {
  const { credentials, region, sha256 } = config
  const signer = new SignatureV4({ credentials, region, sha256, service: 'monitoring' })
  const request = {
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    path: url.pathname,
    query: {},
    headers: {
      host: url.host,
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': 'GraniteServiceVersion20100801.DescribeAlarms',
    },
    body,
  }
  return signer.sign(request)
}

async function statesIn(response: Response): Promise<ReadonlyMap<string, string>> {
  const text = await response.text()
  if (!response.ok) throw errorIn(response, text)
  const answer: unknown = JSON.parse(text)
  const { MetricAlarms = [], CompositeAlarms = [] } = answer as Readonly<Record<string, readonly unknown[]>>
  return new Map([...MetricAlarms, ...CompositeAlarms].map(stateIn))
}

/** What CloudWatch adds to an alarm one day is none of ours. */
function stateIn(alarm: unknown): readonly [string, string] {
  const fields = Fields.of(alarm, ANSWER, 'aws-refused', Object.keys(Object(alarm)))
  return [fields.string('AlarmName', /^/, 'text'), fields.string('StateValue')]
}

/** As the SDK throws them: told apart by their names. */
function errorIn(response: Response, text: string): Error {
  const { __type = '', message, Message }: Readonly<Record<string, unknown>> = readable(text)
  const error = new Error(String(message ?? Message ?? response.statusText))
  error.name = String(__type).split('#').at(-1) || 'UnknownError'
  return Object.assign(error, { $metadata: { httpStatusCode: response.status } })
}

function readable(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
