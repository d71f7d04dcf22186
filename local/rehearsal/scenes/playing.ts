import type { Scene } from './scene.ts'
import { Stage, type StageParts } from './stage.ts'

/** A scene under way. */
export class ScenePlay {
  /** What came of it. */
  told: readonly string[] = []
  /** Why it came to no end; undefined where it did. */
  trouble: string | undefined
  isOver = false

  /** Never rejects: what did not come about is told as trouble, and judged with all else. */
  async play(scene: Scene, parts: StageParts): Promise<void> {
    try {
      this.told = await scene.play(new Stage(parts))
    } catch (error) {
      if (!parts.signal.aborted) this.trouble = `the scene: ${(error as Error).message}`
    }
    this.isOver = true
  }
}
