import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { KINDS } from '../../local/rehearsal/machines/kinds.ts'
import { parseOptions, USAGE } from '../../local/rehearsal/options.ts'
import { SCENE_NAMES, sceneList } from '../../local/rehearsal/scenes/scenes.ts'

describe('the command line', () => {
  it('asks for five rotations over three HAProxy and two nginx where it says nothing', () => {
    expect(parseOptions([])).toMatchObject({ rotations: 5, fleet: { haproxy: 3, nginx: 2 }, keep: false })
  })

  it('shows a straggler and a revoke only where it is asked for nothing else, or for a report', () => {
    expect(parseOptions([])).toMatchObject({ show: true })
    expect(parseOptions(['--report', 'r.json'])).toMatchObject({ show: true })
    for (const words of ['--rotations 5', '--fleet haproxy=3,nginx=2', '--keep', '--scene reboot'])
      expect(parseOptions(words.split(' '))).not.toHaveProperty('show')
  })

  it('takes every option', () => {
    const words = '--rotations 20 --fleet nginx=3 --report r.json --html r.html --keep'.split(' ')
    expect(parseOptions(words)).toEqual({
      rotations: 20,
      fleet: { nginx: 3 },
      configurations: {},
      report: 'r.json',
      html: 'r.html',
      keep: true,
    })
    expect(parseOptions(['--rotations=7'])).toMatchObject({ rotations: 7 })
  })

  it('takes every kind of server that the rehearsal knows', () => {
    const line = KINDS.map((kind) => `${kind}=1`).join(',')
    expect(parseOptions(['--fleet', line])).toMatchObject({
      fleet: Object.fromEntries(KINDS.map((kind) => [kind, 1])),
    })
  })

  it('takes configurations of the user’s, of which two machines each are the fleet', () => {
    const words = '--haproxy-config h.cfg --nginx-config n.conf'.split(' ')
    expect(parseOptions(words.slice(0, 2))).toMatchObject({
      configurations: { haproxy: 'h.cfg' },
      fleet: { haproxy: 2 },
    })
    const both = parseOptions([...words, '--rotations', '2', '--keep'])
    expect(both).toMatchObject({
      configurations: { haproxy: 'h.cfg', nginx: 'n.conf' },
      fleet: { haproxy: 2, nginx: 2 },
    })
    for (const options of [parseOptions(words), both]) expect(options).not.toHaveProperty('show')
  })

  it('takes a scene, and lists them where it has no name', () => {
    expect(parseOptions(['--scene', 'reboot'])).toMatchObject({
      scene: 'reboot',
      fleet: { haproxy: 3, nginx: 2 },
    })
    expect(parseOptions(['--rotations', '7', '--scene'])).toBe('scenes')
    for (const name of SCENE_NAMES) expect(sceneList()).toContain(`  ${name} `)
    expect(USAGE).toContain(sceneList())
  })

  it('gives help when asked', () => {
    expect(parseOptions(['--rotations', '7', '--help'])).toBe('help')
  })

  it.each([
    ['--rotations 0', '--rotations as a whole number from 1 to 1000; got "0"'],
    ['--rotations -3', '--rotations'],
    ['--rotations many', 'got "many"'],
    ['--fleet haproxy', 'kind=count pairs of haproxy, nginx, trafficserver, h2o, dnsdist and lighttpd'],
    ['--fleet trafficsever=2', 'did you mean trafficserver?'],
    ['--fleet apache=2', 'got "apache=2"'],
    ['--fleet haproxy=1,haproxy=2', 'haproxy twice'],
    ['--fleet haproxy=21', 'from 0 to 20'],
    ['--fleet haproxy=0,nginx=0', 'at least one machine'],
    ['--fleet=', 'kind=count pairs'],
    ['--report=', '--report with the name of a file'],
    ['--html=', '--html with the name of a file'],
    ['--rotation 3', "Unknown option '--rotation'"],
    ['haproxy=3', "Unexpected argument 'haproxy=3'"],
    ['--keep=yes', '--keep'],
    ['--haproxy-config=', '--haproxy-config with the name of a file'],
    ['--haproxy-config h.cfg --fleet haproxy=3', '--haproxy-config without --fleet'],
    ['--nginx-config n.conf --scene reboot', '--nginx-config without --scene'],
    ['--scene reboto', 'did you mean reboot?'],
    ['--scene tickets-off --fleet haproxy=2', '--fleet with nginx for --scene tickets-off; got haproxy'],
    ['--scene away --fleet haproxy=2', '--fleet with 3 machines or more for --scene away; got 2'],
  ])('refuses %s and says why', (line, why) => {
    expect(() => parseOptions(line.split(' '))).toThrow(why)
    expect(() => parseOptions(line.split(' '))).toThrow(/^request-invalid: /)
  })

  it('a bad option ends npm start with exit code 1 and one message, before anything is started', () => {
    const run = spawnSync('npx', ['tsx', 'local/rehearsal/main.ts', '--fleet', 'apache=2'], {
      encoding: 'utf8',
    })
    expect(run.status).toBe(1)
    expect(run.stderr).toMatch(/request-invalid: .*apache=2.*--help/)
    expect(run.stderr).not.toMatch(/\n\s+at /)
  })
})
