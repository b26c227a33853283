import { families } from '../addr/index.ts'
import {
  decodeRule,
  FR_ACT_TO_TBL,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
  writeRule,
  writeRuleQuery,
} from '../netlink/index.ts'
import type { Rule } from './contract.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import { plumbProtocol } from './routes.ts'

/** Rules that send packets to a table; other actions are left out. */
export function listRules(socket: NetlinkSocket): Rule[] {
  return families.flatMap((family) =>
    socket.dump(
      `list IPv${family} rules`,
      RTM_GETRULE,
      (writer) => writeRuleQuery(writer, family),
      (message) => {
        const rule = decodeRule(message)
        if (rule === undefined || rule.action !== FR_ACT_TO_TBL) return undefined
        const { action: _action, protocol: _protocol, ...rest } = rule
        return rest
      },
    ),
  )
}

export function addRule(socket: NetlinkSocket, rule: Rule): void {
  socket.request(`add rule ${renderRule(rule)}`, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, (writer) =>
    writeRule(writer, { ...rule, action: FR_ACT_TO_TBL, protocol: plumbProtocol }),
  )
}

export function deleteRule(socket: NetlinkSocket, rule: Rule): void {
  socket.request(`delete rule ${renderRule(rule)}`, RTM_DELRULE, 0, (writer) =>
    writeRule(writer, { ...rule, action: FR_ACT_TO_TBL }),
  )
}

function renderRule(rule: Rule): string {
  const mask = rule.markMask === undefined ? '' : `/0x${rule.markMask.toString(16)}`
  const words = [
    `${rule.priority}:`,
    rule.from === undefined ? 'from all' : `from ${rule.from}`,
    rule.to === undefined ? '' : `to ${rule.to}`,
    rule.mark === undefined ? '' : `fwmark 0x${rule.mark.toString(16)}${mask}`,
    rule.inputInterface === undefined ? '' : `iif ${rule.inputInterface}`,
    `lookup ${rule.table}`,
  ]
  return words.filter((word) => word !== '').join(' ')
}
