import { duration } from '../../lambda/kernel/durations.ts'
import { integer, oneOf } from '../../lambda/kernel/kinds.ts'
import { type Kind, optional, setting } from '../../lambda/kernel/settings.ts'
import { command, proofSettings } from '../fleet/machines.ts'
import { healthSetting, keySizeSetting, keysSetting, takenOf } from './key-settings.ts'
import { keyServer, PROVES_KEYS, PROVES_STAPLES } from './server.ts'
import { pairs } from './staple-settings.ts'

/** Longer than this, a machine that waits for its turn would pass for one that is behind. */
const LONGEST_INTERVAL = 15 * 60
const reloadInterval: Kind<number> = {
  read(value, place) {
    const seconds = value === 0 ? value : duration.read(value, place, {})
    if (seconds > LONGEST_INTERVAL) place.note('0, or a duration of at most 15m', value)
    return seconds
  },
}

const RELOADING = {
  test: setting(command, {
    says: 'checks the configuration: a command in words, without a shell',
    normal: 'nginx -t',
    machine: 'NGINX_TEST',
  }),
  reload: setting(command, {
    says: 'reloads the server: a command in words, without a shell',
    normal: 'systemctl reload nginx',
    machine: 'NGINX_RELOAD',
  }),
  minReloadInterval: optional(reloadInterval, {
    says: 'from one reload for rings and staples to the next, 0 to 15 minutes: what comes earlier [waits](machines.md#when-nginx-is-reloaded)',
    usual: 600,
    machine: 'NGINX_MIN_RELOAD_INTERVAL',
  }),
  maxDraining: optional(integer(1, 1000, 'old workers'), {
    says: 'old workers for each that serves: with more, a reload [waits](machines.md#when-nginx-is-reloaded)',
    usual: 8,
    machine: 'NGINX_MAX_DRAINING',
  }),
  reloadPolicy: optional(oneOf('unless-config-changed', 'always'), {
    says: '`unless-config-changed`, or `always`: a reload publishes what others have changed in the configuration and not loaded',
    usual: 'unless-config-changed',
    machine: 'NGINX_RELOAD_POLICY',
  }),
}

export const nginxKeys = keyServer({
  settings: {
    keys: keysSetting('NGINX_KEYS'),
    keySize: keySizeSetting('NGINX_KEY_SIZE'),
    ...RELOADING,
    ...healthSetting('NGINX'),
    ...proofSettings('NGINX', PROVES_KEYS),
  },
  named: 'the three lines of ssl_session_ticket_key',
  files: ({ keys }) => ['previous', 'current', 'next'].map((slot) => `${keys}/nginx.${slot}.key`),
  takes: takenOf,
  // It gives one, and refuses the request.
  hidesTickets: false,
})

export const nginxStaples = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, that of `ssl_stapling_file` in its server',
    machine: 'NGINX_STAPLES',
  }),
  ...RELOADING,
  ...proofSettings('NGINX', PROVES_STAPLES),
}
