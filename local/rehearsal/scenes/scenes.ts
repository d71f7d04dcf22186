import { autoscaling } from './autoscaling.ts'
import { away } from './away.ts'
import { pull } from './pull.ts'
import { reboot } from './reboot.ts'
import { rebootWithoutSecrets } from './reboot-without-secrets.ts'
import type { Scene } from './scene.ts'
import { tagTypo } from './tag-typo.ts'
import { tampered } from './tampered.ts'

/** What may befall a fleet: one file of this folder each, and a line here. */
export const SCENES = {
  reboot,
  'reboot-without-secrets': rebootWithoutSecrets,
  away,
  tampered,
  pull,
  autoscaling,
  'tag-typo': tagTypo,
} as const satisfies Readonly<Record<string, Scene>>
export type SceneName = keyof typeof SCENES
export const SCENE_NAMES = Object.keys(SCENES) as readonly SceneName[]

/** Every scene in a line. */
export function sceneList(): string {
  const width = Math.max(...SCENE_NAMES.map((name) => name.length))
  return SCENE_NAMES.map((name) => `  ${name.padEnd(width)}  ${SCENES[name].shows}\n`).join('')
}
