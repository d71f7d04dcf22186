import { FleetControl, type FleetControlParts } from './fleet-control.ts'
import type { Scene } from './scene.ts'

/** A scene under way. */
export class ScenePlay {
  /** What came of it. */
  told: readonly string[] = []
  /** Why it came to no end; undefined where it did. */
  trouble: string | undefined
  isOver = false

  /** Never rejects: what did not come about is told as trouble, and judged with all else. */
  async play(scene: Scene, parts: FleetControlParts): Promise<void> {
    try {
      this.told = await scene.play(new FleetControl(parts))
    } catch (error) {
      if (parts.signal.aborted) return
      this.trouble = `the scene: ${(error as Error).message}`
      parts.progress.say(this.trouble)
    } finally {
      this.isOver = true
    }
  }
}
