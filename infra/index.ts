/** What an owner's app imports: the package's only export. */
export type { Endpoints } from './fleet/delivery-configuration.ts'
export type { Network } from './fleet/network-access.ts'
export type { AlarmActions, LogKeeping, Operations } from './fleet/operations.ts'
export type { DeliveryProps } from './fleet/props.ts'
export { type RotationProps, TicketKeyRing, type TicketKeyRingProps } from './ring/ticket-key-ring.ts'
export {
  type AskingProps,
  type CertificateProps,
  OcspStapling,
  type OcspStaplingProps,
  type RefreshProps,
} from './stapling/ocsp-stapling.ts'
