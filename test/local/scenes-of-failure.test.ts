import { it } from 'vitest'
import { SCENE_NAMES } from '../../local/rehearsal/scenes/scenes.ts'
import { expectScene, ORDINARY } from './scene-tells.ts'

it.each(SCENE_NAMES.filter((name) => !ORDINARY.includes(name)))(
  'the scene %s comes to its end, and what it cost is expected, or nothing',
  expectScene,
  600_000,
)
