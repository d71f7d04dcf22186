/** A machine under Systems Manager. */
export interface Machine {
  /** `i-…` for EC2, `mi-…` for a hybrid machine. */
  readonly id: string
  readonly tags: Readonly<Record<string, string>>
  /** Name or logical id of its role. */
  readonly role: string
  /** `current` agents set `SSM_<name>`; `old` ones substitute `{{name}}` in the script's text. */
  readonly agent: 'current' | 'old'
  /** Everything a script sees, apart from what the agent adds. */
  readonly environment: Readonly<Record<string, string>>
  /** The agent's orchestration folder: scripts and their outputs stay here. */
  readonly workdir: string
  /**
   * Default Host Management manages an EC2 machine by this role, because its own has no rights of Systems Manager. The
   * agent shares the session's credentials with its scripts, as it does on a hybrid machine.
   */
  readonly hostManagementRole?: string
  readonly wrap?: (argv: readonly string[]) => readonly string[]
  readonly group?: MachineGroup
}

/** A machine's Auto Scaling group. */
export interface MachineGroup {
  readonly name: string
  /** Its launch lifecycle hooks: each keeps the machine until it is completed. */
  readonly hooks: readonly string[]
  /** Where the machine is on its way to: by default into service. */
  readonly target?: LifecycleTarget
}

/** As the metadata service says it. */
export type LifecycleTarget =
  | 'InService'
  | 'Warmed:Stopped'
  | 'Warmed:Running'
  | 'Warmed:Hibernated'
  | 'Warmed:Terminated'
  | 'Terminated'

export interface Instance {
  readonly id: string
  readonly workdir: string
  readonly tags: Readonly<Record<string, string>>
  /** The environment its scripts get, endpoints included: a boot unit runs with the same. */
  readonly environment: Readonly<Record<string, string>>
  /** A session of its role, as the agent of a hybrid machine shares it in a credentials file. */
  credentials(): { accessKeyId: string; secretAccessKey: string; sessionToken: string }
  /** Terminated: it leaves the roll call, what was under way is lost. */
  leave(): void
  /** ConnectionLost: it stays in the roll call, commands wait for it until they expire. */
  lose(): void
  restore(): void
  /** Its state in its Auto Scaling group; none for a machine of no group. */
  readonly lifecycle: string | undefined
  /** Its group brings it elsewhere, such as out of the warm pool: its hooks wait again. */
  bringTo(target: LifecycleTarget): void
  /** What its hooks wait for has not come in time: they end by their default. */
  hooksTimeOut(result: 'CONTINUE' | 'ABANDON'): void
  /** Replaces its tags. */
  retag(tags: Readonly<Record<string, string>>): void
  /** It goes down and comes up again at once: documents under way are killed, and run again. */
  reboot(): void
  /** Each command reaches it so many milliseconds late. */
  delay(milliseconds: number): void
  /** The next commands never reach it. */
  loseCommands(count: number): void
  /** The next commands run, but Systems Manager never hears of it. */
  loseReplies(count: number): void
}
