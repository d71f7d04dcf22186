/** The staple story in a process of its own, as in a fresh function: certificates in by standard input, cost out. */
import { randomBytes, randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpResponders } from '../lambda/aws/http/responder.ts'
import type { StapleConfiguration } from '../lambda/staples/configuration.ts'
import type { StaplePorts, StapleStore, Stored } from '../lambda/staples/ports.ts'
import { runStaples } from '../lambda/staples/run.ts'
import { MemoryRecord } from '../test/fakes/record.ts'

/** What it is given. */
export interface Burst {
  readonly configuration: StapleConfiguration
  /** PEM chains by the name of their parameter. */
  readonly chains: Readonly<Record<string, string>>
}

/** What it came to. */
export interface BurstCost {
  readonly good: number
  readonly milliseconds: number
  /** Of the whole process, at its highest. */
  readonly bytes: number
}

const { configuration, chains }: Burst = JSON.parse(await text(process.stdin))
const responders = new HttpResponders({ allow: configuration.allow })
const start = performance.now()
const answer = await runStaples(ports(), { action: 'refresh', force: false })
const milliseconds = performance.now() - start
responders.close()
const reports = 'certificates' in answer ? answer.certificates : []
const good = reports.filter(({ state }) => state === 'staple').length
const cost: BurstCost = { good, milliseconds, bytes: process.resourceUsage().maxRSS * 1024 }
process.stdout.write(JSON.stringify(cost))

function ports(): StaplePorts {
  return {
    configuration,
    chains: {
      read: async (sources) =>
        sources.map((source) => ('parameter' in source ? (chains[source.parameter] ?? '') : '')),
    },
    store: memoryStore(),
    responders,
    records: new MemoryRecord(),
    inventory: { members: async () => [], countListed: async () => 0 },
    sender: {
      send: async () => [],
      progress: async () => ({ state: 'unknown', targets: 0, completed: 0 }),
      results: async () => ({ invocations: [] }),
      resultOf: async () => undefined,
    },
    clock: { now: () => new Date(), sleep: (pause) => sleep(pause), remaining: () => 300_000 },
    chance: { random: randomBytes, uuid: randomUUID },
    eventLog: { record() {} },
  }
}

function memoryStore(): StapleStore {
  const stored = new Map<string, Stored>()
  return {
    read: async (ids) => new Map([...stored].filter(([id]) => ids.includes(id))),
    earlier: async () => undefined,
    async write(id, value) {
      const version = (stored.get(id)?.version ?? 0) + 1
      stored.set(id, { text: value, version })
      return version
    },
  }
}
