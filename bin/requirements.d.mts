export interface Requirement {
  readonly command: string
  /** Of which one has to be there too. */
  readonly files?: readonly string[]
  /** Debian's name of the package that brings it. */
  readonly package: string
  readonly why: string
  /** Whether `npm start` needs it, whatever its options are. */
  readonly start?: boolean
  /** Whether Debian alone has it. */
  readonly debian?: boolean
}

export interface LockFile {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly version?: string
        readonly integrity?: string
        readonly optional?: boolean
        readonly devOptional?: boolean
      }
    >
  >
}

export const REQUIREMENTS: readonly Requirement[]
export function nodeProblem(version: string, engines: string): string | undefined
export function missingRequirements(
  has: (command: string) => boolean,
  wanted?: (requirement: Requirement) => boolean,
): readonly Requirement[]
export function packagesOf(requirements: readonly Requirement[]): readonly string[]
export function announcement(missing: readonly Requirement[]): string
export function refusal(missing: readonly Requirement[], obstacle: string): string
export function isInstalled(wanted: LockFile, installed: LockFile | undefined): boolean
