export { type AuditedRequest, eventOf } from './event.ts'
export {
  type AuditDecision,
  type AuditPolicy,
  type AuditSubject,
  decideAudit,
  parseAuditPolicy,
  type Stage,
} from './policy.ts'
