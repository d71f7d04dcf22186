import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SSMClient } from '@aws-sdk/client-ssm'
import { expect, it } from 'vitest'
import { TaggedInstances } from '../../lambda/aws/fleet-inventory.ts'

/** What Systems Manager lists, over the wire. */
async function membersOf(InstanceInformationList: readonly object[]) {
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
    outgoing.end(JSON.stringify({ InstanceInformationList }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'a', secretAccessKey: 's' }
  try {
    const client = new SSMClient({ endpoint, region: 'us-east-1', credentials })
    return await new TaggedInstances(client, { tag: 'ticketring', values: ['edge'] }).members()
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

it('a machine has the name that it calls itself, where that is a name and another than its id', async () => {
  const listed = (InstanceId: string, ComputerName?: string) => ({
    InstanceId,
    PingStatus: 'Online',
    ComputerName,
  })
  const members = await membersOf([
    listed('i-1', 'edge-1.eu-west-1.compute.internal'),
    listed('i-2', 'i-2'),
    listed('i-3', '\u001b[2Jedge'),
    listed('i-4', 'e'.repeat(256)),
    listed('i-5'),
  ])
  expect(members).toEqual([
    { id: 'i-1', online: true, name: 'edge-1.eu-west-1.compute.internal' },
    ...['i-2', 'i-3', 'i-4', 'i-5'].map((id) => ({ id, online: true })),
  ])
})
