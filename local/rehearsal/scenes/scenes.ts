import { autoscaling } from './autoscaling.ts'
import { away } from './away.ts'
import { canaryFails } from './canary-fails.ts'
import { destroyAndRedeploy } from './destroy-and-redeploy.ts'
import { halfEditedNginx } from './half-edited-nginx.ts'
import { keyLeakAndRevoke } from './key-leak-and-revoke.ts'
import { oldProgram } from './old-program.ts'
import { openAndGuarded } from './open-and-guarded.ts'
import { pauseOverMaxKeyAge } from './pause-over-max-key-age.ts'
import { pull } from './pull.ts'
import { reboot } from './reboot.ts'
import { rebootWithoutSecrets } from './reboot-without-secrets.ts'
import { runCommandOutage } from './run-command-outage.ts'
import type { Scene } from './scene.ts'
import { tagTypo } from './tag-typo.ts'
import { tampered } from './tampered.ts'
import { tenPercentOffline } from './ten-percent-offline.ts'
import { ticketsOff } from './tickets-off.ts'

/** What may befall a fleet: one file of this folder each, and a line here. */
export const SCENES = {
  reboot,
  'reboot-without-secrets': rebootWithoutSecrets,
  away,
  tampered,
  pull,
  autoscaling,
  'tag-typo': tagTypo,
  'run-command-outage': runCommandOutage,
  'ten-percent-offline': tenPercentOffline,
  'pause-over-max-key-age': pauseOverMaxKeyAge,
  'destroy-and-redeploy': destroyAndRedeploy,
  'canary-fails': canaryFails,
  'old-program': oldProgram,
  'tickets-off': ticketsOff,
  'half-edited-nginx': halfEditedNginx,
  'key-leak-and-revoke': keyLeakAndRevoke,
  'open-and-guarded': openAndGuarded,
} as const satisfies Readonly<Record<string, Scene>>
export type SceneName = keyof typeof SCENES
export const SCENE_NAMES = Object.keys(SCENES) as readonly SceneName[]

/** Every scene in a line. */
export function sceneList(): string {
  const width = Math.max(...SCENE_NAMES.map((name) => name.length))
  return SCENE_NAMES.map((name) => `  ${name.padEnd(width)}  ${SCENES[name].shows}\n`).join('')
}
