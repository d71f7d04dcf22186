import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { readContext } from '../../../infra/app/context.ts'
import { readableDocument } from '../../../infra/fleet/readable-document.ts'
import { carriedOf } from '../../../infra/program/payload.ts'
import { buildProgram } from '../../../infra/program/program.ts'
import { type Capability, programFor } from '../../../infra/program/selection.ts'
import { buildRingDocument } from '../../../infra/ring/document.ts'
import { KINDS, STAPLE_SERVERS } from '../../../infra/servers/servers.ts'
import { buildStapleDocument } from '../../../infra/stapling/document.ts'
import {
  EXAMPLE_KINDS,
  exampleRing,
  exampleSet,
  HAPROXY,
  HAPROXY_STAPLING,
  NGINX,
  NGINX_STAPLING,
  OTHER_SERVERS,
  OTHER_STAPLING,
} from '../app/example.ts'

const PROGRAM = buildProgram()

/** The names of the classes in the files of servers, once all modules of a document's program have been loaded. */
const CLASSES = `
import ast, importlib, json, pathlib, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    for path, text in json.load(sys.stdin):
        file = pathlib.Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    importlib.import_module(f"ticketring.{sys.argv[1]}")
    names = []
    for file in sorted(pathlib.Path(folder, "ticketring", "servers").glob("*.py")):
        importlib.import_module(f"ticketring.servers.{file.stem}")
        names += [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
    print(*names)
`

/** What it knows as settings, and its help. */
const SETTINGS = `
import json, pathlib, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    for path, text in json.load(sys.stdin):
        file = pathlib.Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    from ticketring.__main__ import help_for
    from ticketring.settings import HELP, names_in
    help = HELP + help_for(sys.argv[1])
    print(json.dumps({"names": sorted(names_in(help)), "help": help}))
`

function ringOf(replaced = {}) {
  const [ring] = parseConfiguration({ rings: [exampleRing(replaced)] }).rings
  if (ring === undefined) throw new Error('no ring')
  return ring
}

describe('a document that carries the program', () => {
  const document = buildRingDocument(ringOf(), PROGRAM)
  const lines = document.content.mainSteps[0].inputs.runCommand

  it('names its version', () => {
    expect(document.script).toBe(programFor('ring', PROGRAM, EXAMPLE_KINDS).hash.slice(0, 12))
    expect(document.name).toMatch(/^ticketring-edge-[0-9a-f]{12}$/)
  })

  it('changes its name with the program and with a setting', () => {
    const other = { ...PROGRAM, sources: PROGRAM.sources.slice(1) }
    const shorter = ringOf({ rotation: { ticketLifetime: '1h' } })
    const names = [document, buildRingDocument(ringOf(), other), buildRingDocument(shorter, PROGRAM)]
    expect(new Set(names.map(({ name }) => name)).size).toBe(3)
  })

  it('has two places that Run Command fills in', () => {
    expect(JSON.stringify(document.content).match(/\{\{[^}]*\}?\}?/g)).toEqual([
      '{{Generation}}',
      '{{Program}}',
    ])
  })

  it('is printable ASCII in lines that a console shows', () => {
    expect(lines.join('')).toMatch(/^[ -~]+$/)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(1000)
  })

  it('is valid sh as a whole', () => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: lines.join('\n'), encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('carries no setting that would end its quotes', () => {
    const { servers, ...ring } = ringOf()
    const haproxy = { ...(servers.haproxy as NonNullable<typeof servers.haproxy>), owner: '"""; import os' }
    expect(() => buildRingDocument({ ...ring, servers: { haproxy } }, PROGRAM)).toThrow(/HAPROXY_OWNER/)
  })

  it('has room for the settings of 200 certificates and 100 pairs', () => {
    const certificates = Array.from({ length: 200 }, (_, at) => `/etc/haproxy/certs/site-${at}.pem`)
    const staples = Array.from({ length: 100 }, (_, at) => ({
      certificate: `/etc/nginx/certs/site-${at}.pem`,
      staple: `/etc/nginx/staples/site-${at}.ocsp`,
    }))
    const servers = {
      haproxy: { ...HAPROXY_STAPLING, certificates },
      nginx: { ...NGINX_STAPLING, staples },
    }
    const [set] = parseConfiguration({ rings: [], stapling: [exampleSet({ servers })] }).stapling
    if (set === undefined) throw new Error('no set')
    const text = JSON.stringify(buildStapleDocument(set, PROGRAM).content)
    for (const path of [...certificates, ...staples.flatMap(Object.values)]) expect(text).toContain(path)
  })
})

describe('what a document carries', () => {
  const pathsOf = (capability: Capability) =>
    new Set(programFor(capability, PROGRAM, KINDS).sources.map(({ path }) => path))

  it('is what its capability needs: together all, and what either has for itself is not with the other', () => {
    const ring = pathsOf('ring')
    const staples = pathsOf('staples')
    const paths = (...names: string[]) => names.map((name) => `ticketring/${name}.py`)
    // What looks at everything at once is in packages, and in no delivery.
    const all = [...ring, ...staples, ...paths('check', 'releases')]
    expect(new Set(all)).toEqual(new Set(PROGRAM.sources.map(({ path }) => path)))
    expect(all.filter((path) => path.endsWith('/check.py'))).toHaveLength(1)
    expect([...ring].filter((path) => !staples.has(path)).toSorted()).toEqual(
      paths(
        'bypass',
        'health',
        'keys',
        'launch',
        'local',
        'observing',
        'refused',
        'revocation',
        'ring',
        ...KINDS.filter((kind) => !(kind in STAPLE_SERVERS)).map((kind) => `servers/${kind}`),
        'servers/key_file',
        'servers/owner',
        'state',
        'tickets',
        'tmpfs',
      ).toSorted(),
    )
    expect([...staples].filter((path) => !ring.has(path)).toSorted()).toEqual(
      paths(
        'entry',
        'judge',
        'memory',
        'ocsp',
        'places',
        'servers/staple_file',
        'staples',
        'store',
        'withdrawal',
      ),
    )
  })

  it.each([
    ['ring', ['haproxy', 'nginx'], []],
    ['ring', ['trafficserver'], ['key_file']],
    ['staples', ['haproxy', 'nginx'], []],
    ['staples', ['trafficserver'], ['staple_file']],
  ] as const)('of a %s with %j: of what kinds share, %j', (capability, kinds, wanted) => {
    const paths = programFor(capability, PROGRAM, kinds).sources.map(({ path }) => path)
    const shared = ['key_file', 'staple_file']
    const found = shared.filter((name) => paths.includes(`ticketring/servers/${name}.py`))
    expect(found).toEqual(wanted)
  })

  it('of each kind of server no import that only the other capability has a use for', () => {
    const text = (capability: Capability) =>
      programFor(capability, PROGRAM, ['trafficserver']).sources.find(({ path }) =>
        path.endsWith('trafficserver.py'),
      )?.text
    expect(text('ring')).not.toContain('staple_file')
    expect(text('staples')).not.toContain('key_file')
  })

  it.each(['ring', 'staples'] as const)(
    'of a %s: of the kinds of server those that it names alone',
    (capability) => {
      const kinds = programFor(capability, PROGRAM, ['nginx']).sources.flatMap(({ path }) =>
        KINDS.filter((kind) => path === `ticketring/servers/${kind}.py`),
      )
      expect(kinds).toEqual(['nginx'])
    },
  )

  it.each([
    ['ring', 'KEYS', 'STAPLES'],
    ['staples', 'STAPLES', 'KEYS'],
  ] as const)('of a %s: of each kind of server what it offers for that alone', (capability, own, other) => {
    const offered = PROGRAM.sources.filter(({ text }) => new RegExp(`^${own} = `, 'm').test(text))
    expect(offered).not.toEqual([])
    for (const { path, text: whole } of offered) {
      const text = programFor(capability, PROGRAM, KINDS).sources.find((source) => source.path === path)?.text
      const classOf = (name: string) => `class ${new RegExp(`^${name} = (.*)`, 'm').exec(whole)?.[1]}(`
      expect(text).toContain(classOf(own))
      expect(text).not.toContain(classOf(other))
    }
  })

  it.each(['ring', 'staples'] as const)(
    'knows the settings of a %s, without what they mean',
    (capability) => {
      const [own, whole] = [programFor(capability, PROGRAM), PROGRAM].map(({ sources }) => {
        const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-I', '-c', SETTINGS, capability], {
          input: JSON.stringify(sources.map(({ path, text }) => [path, text])),
          encoding: 'utf8',
        })
        expect(stderr).toBe('')
        return JSON.parse(stdout)
      })
      expect(own.names.length).toBeGreaterThan(20)
      expect(own.names).toEqual(whole.names)
      expect(whole.help).toContain('listeners: address:port')
      expect(own.help).not.toContain('listeners: address:port')
    },
  )

  it('has the module of each kind that a ring or a set may name', () => {
    const paths = PROGRAM.sources.map(({ path }) => path)
    for (const kind of KINDS) expect(paths).toContain(`ticketring/servers/${kind}.py`)
  })

  it('is no more for a third kind in the ring than that kind', () => {
    const alone = programFor('ring', PROGRAM, ['nginx'])
    const both = programFor('ring', PROGRAM, ['nginx', 'haproxy'])
    expect(both.sources.length).toBe(alone.sources.length + 1)
  })

  it.each([
    ['ring', 'Keys'],
    ['staples', 'Staples'],
  ] as const)(
    'of each server, what a %s needs, and Python finds all of it: its classes end in %s',
    (capability, own) => {
      const texts = programFor(capability, PROGRAM).sources.map(({ path, text }) => [path, text])
      const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-I', '-c', CLASSES, capability], {
        input: JSON.stringify(texts),
        encoding: 'utf8',
      })
      expect(stderr).toBe('')
      const found = stdout.trim().split(' ')
      const kinds = found.filter((name) => /(Keys|Staples)$/.test(name))
      expect(kinds.length).toBeGreaterThanOrEqual(2)
      expect(kinds.filter((name) => !name.endsWith(own))).toEqual([])
      expect(found).toContain('Terminator')
    },
  )
})

describe('the documents of other kinds of server', () => {
  const kinds = Object.keys(OTHER_STAPLING).map((kind) => [kind])
  it.each(kinds)('are below the limit too: a set of %s', (kind) => {
    const servers = { [kind]: OTHER_STAPLING[kind] }
    const { stapling } = parseConfiguration({ rings: [], stapling: [exampleSet({ servers })] })
    const [set] = stapling
    if (set === undefined) throw new Error('no set')
    const { content } = buildStapleDocument(set, PROGRAM)
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThanOrEqual(40_000)
  })
})

describe('a document of every kind of server at once', () => {
  it.each(['ring', 'set'] as const)('can be built: of a %s', (what) => {
    const rings = [exampleRing({ servers: { haproxy: HAPROXY, nginx: NGINX, ...OTHER_SERVERS } })]
    const servers = { haproxy: HAPROXY_STAPLING, nginx: NGINX_STAPLING, ...OTHER_STAPLING }
    const sound = parseConfiguration({ rings, stapling: [exampleSet({ servers })] })
    const [ring, set] = [sound.rings[0], sound.stapling[0]]
    if (ring === undefined || set === undefined) throw new Error('no example')
    const { program } = what === 'ring' ? buildRingDocument(ring, PROGRAM) : buildStapleDocument(set, PROGRAM)
    const served = Object.keys(what === 'ring' ? ring.servers : set.servers)
    expect(served.length).toBeGreaterThan(what === 'ring' ? 6 : 4)
    for (const kind of served)
      expect(program.sources.map(({ path }) => path)).toContain(`ticketring/servers/${kind}.py`)
  })
})

describe('the documents of cdk.json, which have two kinds of server', () => {
  const { rings, stapling } = parseConfiguration(readContext().ticketring)
  const documents = [
    ...rings.map((ring) => buildRingDocument(ring, PROGRAM)),
    ...stapling.map((set) => buildStapleDocument(set, PROGRAM)),
  ]

  it.each(documents)('are a size that leaves room for many settings: $name', ({ content }) => {
    expect(Buffer.byteLength(JSON.stringify(content))).toBeLessThanOrEqual(40_000)
  })
})

describe('the installer', () => {
  const origins = ['carried', 'packaged'] as const
  const capabilities = ['ring', 'staples'] as const
  it.each(origins.flatMap((origin) => capabilities.map((capability) => [origin, capability] as const)))(
    'of a program that is %s, for %s, is one text of several modules, which give no name twice',
    (origin, capability) => {
      // As open.py runs it: what its modules import from each other is there.
      const judge = `
import ast, sys
body = ast.parse(sys.stdin.read().replace("\\nfrom .", "\\n#")).body
names = [node.name for node in body if hasattr(node, "name")]
names += [target.id for node in body if isinstance(node, ast.Assign) for target in node.targets]
own = [node.module for node in body if isinstance(node, ast.ImportFrom) and (node.level or "ticketring" in node.module)]
print(len(names) > 20, sorted({name for name in names if names.count(name) > 1}), own)
`
      const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-I', '-c', judge], {
        input: carriedOf(PROGRAM, origin, capability).installer,
        encoding: 'utf8',
      })
      expect(stderr + stdout).toBe('True [] []\n')
    },
  )
})

describe('what an operator reads of it', () => {
  const carried = programFor('ring', PROGRAM, EXAMPLE_KINDS)
  const document = buildRingDocument(ringOf(), PROGRAM)
  const text = readableDocument({ ...document, carried: document })

  it('is the lines of sh, the settings, the installer, the sources and the hashes', () => {
    expect(text).toContain('\nTICKET_LIFETIME=7200\n')
    expect(text).toContain('exec "$python" -IS -')
    expect(text).toContain(carriedOf(carried, 'carried', 'ring').installer)
    for (const { path, text: source } of carried.sources) expect(text).toContain(`# ---- ${path}\n${source}`)
    expect(text).toContain(carried.hash)
    expect(text).not.toMatch(/.{700}/)
  })
})
