export function isLoopback(address: string): boolean
export function stayOnLoopback(): Promise<void>
export function insistOnLoopback(): void
