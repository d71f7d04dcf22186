#!/usr/bin/env node
// Brings a machine to where `npm start` and `npm test` run: npm packages, then system packages. Asks no questions.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  announcement,
  isInstalled,
  missingRequirements,
  nodeProblem,
  packagesOf,
  refusal,
} from './requirements.mjs'

const HOME = dirname(dirname(fileURLToPath(import.meta.url)))

// Runs as root: the packages' daemons must not start, so invoke-rc.d is told "no" (101) for the time of the
// installation. A policy that is there already (a container image's) stays in force.
const INSTALL = `
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' HUP INT TERM
  printf '#!/bin/sh\\nexit 101\\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -o DPkg::Lock::Timeout=120 -qq --no-install-recommends "$@" </dev/null; }
if get --simulate install "$@" >/dev/null 2>&1 && get -y install "$@"; then exit 0; fi
# Package lists that are missing or stale are the usual reason: fetch them, once.
apt-get -o DPkg::Lock::Timeout=120 -qq update
get -y install "$@"
`

const USAGE = `Usage: npm run setup [-- --quiet] [--start]

Installs what this project needs and the machine lacks: npm packages, then system packages by apt, with their daemons
left off. Says first what it is about to install; where it cannot, what to install by hand.

  --quiet     say nothing where everything is there
  --start     only what npm start needs, whatever its options are
  -h, --help  this text`

main()

function main() {
  const words = process.argv.slice(2)
  if (words.includes('--help') || words.includes('-h')) return console.log(USAGE)
  const unknown = words.filter((word) => word !== '--quiet' && word !== '--start')
  if (unknown.length > 0) stop(`Unknown option ${unknown.join(' ')}\n${USAGE}`)
  const problem = nodeProblem(process.versions.node, readJson(join(HOME, 'package.json')).engines.node)
  if (problem !== undefined) stop(problem)
  installNpmPackages()
  installSystemPackages()
  if (!process.argv.includes('--quiet')) console.log('Everything this project needs is installed.')
}

function installNpmPackages() {
  const wanted = readJson(join(HOME, 'package-lock.json'))
  if (isInstalled(wanted, readJson(join(HOME, 'node_modules', '.package-lock.json')))) return
  console.log('npm packages are missing or outdated: running npm ci')
  // The npm that runs us, so that no other one on the path writes the tree; dev packages even under NODE_ENV=production.
  const npm = process.env.npm_execpath
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const { status, error } = spawnSync(
    command,
    first.concat(['ci', '--include=dev', '--no-fund', '--no-audit']),
    {
      cwd: HOME,
      stdio: 'inherit',
    },
  )
  if (status !== 0) stop(`npm ci failed${error ? `: ${error.message}` : ''}. Its own message is above.`)
}

function installSystemPackages() {
  const missing = stillMissing()
  if (missing.length === 0) return
  const obstacle = obstacleToInstall()
  if (obstacle !== undefined) stop(refusal(missing, obstacle))
  console.log(announcement(missing))
  const { status } = asRoot('sh', ['-c', INSTALL, 'setup'].concat(packagesOf(missing)), 'inherit')
  const still = stillMissing()
  if (status === 0 && still.length === 0) return
  stop(refusal(still.length === 0 ? missing : still, 'apt-get could not install them (its message is above)'))
}

function stillMissing() {
  const isForStart = process.argv.includes('--start')
  const isDebian =
    existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  return missingRequirements(
    isThere,
    ({ start, debian }) => start === true || (!isForStart && (isDebian || debian !== true)),
  )
}

/** Why we cannot install system packages here; undefined if we can. */
function obstacleToInstall() {
  if (process.platform !== 'linux') return `this system is ${process.platform}, not Linux`
  if (!isOnPath('apt-get')) return 'this system has no apt'
  if (asRoot('true', [], 'ignore').status !== 0) {
    return 'installing them takes root, or sudo that asks for no password'
  }
  return undefined
}

function asRoot(command, words, stdio) {
  if (process.getuid() === 0) return spawnSync(command, words, { stdio })
  return spawnSync('sudo', ['-n', command].concat(words), { stdio })
}

function isThere(commandOrFile) {
  return commandOrFile.startsWith('/') ? existsSync(commandOrFile) : isOnPath(commandOrFile)
}

/** Servers live in sbin, which an ordinary user's path leaves out. */
function isOnPath(command) {
  const path = (process.env.PATH || '').split(delimiter).concat(['/usr/local/sbin', '/usr/sbin', '/sbin'])
  return path.some((directory) => directory !== '' && isExecutable(join(directory, command)))
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function readJson(file) {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function stop(message) {
  console.error(message)
  process.exit(1)
}
