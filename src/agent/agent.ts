import type { Server } from 'node:http'
import { ChangeFeed, type Changes, internalAddresses, LiveSnapshot, type Snapshot } from '../cluster/index.ts'
import { releaseMemory } from '../memory/index.ts'
import { NodePlan } from '../nodeplan/index.ts'
import { Admission } from './admission.ts'
import type { Agent, AgentInput, NodeModule } from './contract.ts'
import { Draining } from './draining.ts'
import { EgressPorts } from './egress-ports.ts'
import { EgressRouting } from './egress-routing.ts'
import { EgressStatus } from './egress-status.ts'
import { FastPath } from './fast-path.ts'
import { follow } from './follow.ts'
import { followDenied } from './follow-denied.ts'
import { isFresh, serveHealth } from './health.ts'
import { HealthPorts } from './health-ports.ts'
import { learnNames } from './learn-names.ts'
import { openLog } from './log.ts'
import { countLoopbackNodePorts } from './loopback-metric.ts'
import { Metrics } from './metrics.ts'
import { PolicyEvents, touchesPolicies } from './policy-events.ts'
import { type RoundReport, Rounds } from './rounds.ts'
import { serveSocket } from './socket-server.ts'
import {
  followLinks,
  followLocalAddresses,
  followOwners,
  followServiceCidrs,
  openLoopback,
  setConntrackTimeouts,
} from './surroundings.ts'
import { TableWatch } from './table-watch.ts'
import { ServiceTraffic } from './traffic.ts'
import { TrafficReport } from './traffic-report.ts'

/** The taint by which an autoscaler tells that a node goes away. */
const leavingTaint = 'ToBeDeletedByClusterAutoscaler'

/** A whole round of so many leaves garbage that is worth a pause, once nothing has happened for a second. */
const manyServices = 2000
const idleMs = 1000

/**
 * Runs the network of one node until stopped. Resolves when it follows the API server and its servers listen; `ready`
 * tells the first round. Nothing is written before all kinds are synced; then one transaction replaces what a former
 * agent left, so that no packet meets a gap.
 */
export async function startAgent({
  client,
  host,
  namespace = host.own,
  nodeName,
  options,
}: AgentInput): Promise<Agent> {
  const log = options.log ?? (await openLog(nodeName))
  const { network } = namespace
  const metrics = new Metrics(options.families ?? [4, 6])
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  const { egress = false, hostPorts = false, ownership } = options
  const fastPath = new FastPath(host, network, options.fastPath === true, log)
  const modules: readonly NodeModule[] = [
    fastPath,
    ...(egress ? [new EgressRouting(network)] : []),
    ...(egress && ownership !== undefined ? [new EgressStatus(client, nodeName, ownership, log)] : []),
    ...(options.modules ?? []),
  ]
  const policies = options.policies ?? 'off'
  const { families, podPrefixes, servicePrefixes, nodePortAddresses, loopbackNodePorts = false } = options
  const plan = new NodePlan({
    node: nodeName,
    servicePrefixes,
    policies: policies !== 'off',
    loopbackNodePorts,
    hostPorts,
    egress,
    ...(families === undefined ? {} : { families }),
    ...(podPrefixes === undefined ? {} : { podPrefixes }),
    ...(nodePortAddresses === undefined ? {} : { nodePortAddresses }),
  })
  const ports = egress ? new EgressPorts(plan, network, log) : undefined
  const findings = () => [...plan.findings, ...modules.flatMap((module) => module.findings ?? [])]
  let loopbackOpen = false
  if (loopbackNodePorts) metrics.add(() => countLoopbackNodePorts(network))
  const times: { lastRound?: Date; waitingSince?: Date } = {}
  const source = healthSource(snapshot, nodeName, times)
  const healthPorts = new HealthPorts(host, namespace, () => isFresh(source), log)
  const policyEvents = policies === 'off' ? undefined : new PolicyEvents(client, snapshot, nodeName)
  const draining = new Draining(network, plan, log, (count) => metrics.record('plumb_drained_connections_total', count))
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>()
  const rounds = new Rounds({ plan, snapshot, feed, network }, modules, log, (report) => {
    account(metrics, snapshot, report)
    const told = modules.reduce((sum, module) => sum + (module.findings?.length ?? 0), 0)
    metrics.record('plumb_findings', plan.findingCount + told)
    recordPending(metrics, feed)
    for (const policy of ['internal', 'external'] as const) {
      metrics.record('kubeproxy_sync_proxy_rules_no_local_endpoints_total', plan.withoutLocalEndpoints[policy], policy)
    }
    if (report.failure !== undefined) return
    admission.afterRound()
    ports?.afterRound()
    if (plan.findingCount > 0 && (report.full || touchesPolicies(report.changes))) policyEvents?.update(plan.findings)
    healthPorts.update(plan)
    draining.update()
    if (report.full && snapshot.services.size >= manyServices) idle.refresh()
    // Not before the guard is in the kernel.
    if (plan.servesLoopback && !loopbackOpen) {
      loopbackOpen = true
      openLoopback(network, log)
    }
    if (times.lastRound === undefined) {
      // The kernel tracks connections of a namespace once rules there ask for it.
      setConntrackTimeouts(network, log)
      log.info({ ms: Math.round(report.totalMs), services: snapshot.services.size }, 'the node serves')
      becomeReady()
    }
    times.lastRound = new Date()
    delete times.waitingSince
    if (feed.size > 0) times.waitingSince = times.lastRound
  })
  const idle = setTimeout(() => {
    if (rounds.busy) idle.refresh()
    else if (snapshot.services.size >= manyServices) releaseMemory()
  }, idleMs).unref()
  if (policies === 'strict') rounds.cutDenied((connection) => denied?.cut(connection))
  const admission = new Admission(plan, feed, rounds)
  const wake = (): void => {
    times.waitingSince ??= new Date()
    recordPending(metrics, feed)
    metrics.record('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', Date.now() / 1000)
    rounds.wake()
  }
  const noteLinks = (): void => {
    feed.note('nodes', nodeName)
    wake()
  }
  const following = follow(client, nodeName, snapshot, { policies: policies !== 'off', egress }, wake)
  const surroundings = [
    followServiceCidrs(client, plan, wake),
    followLinks(network, () => internalAddresses(snapshot.nodes.get(nodeName)), noteLinks),
    ...(ownership === undefined ? [] : [followOwners(ownership, plan, wake)]),
    ...(nodePortAddresses === undefined ? [] : [followLocalAddresses(network, plan, wake)]),
    new TableWatch(
      network,
      {
        tables: () => [...plan.tables, ...fastPath.tables],
        known: () => plan.confirmed,
        calm: () => plan.confirmed && !rounds.busy,
        onLoss() {
          fastPath.doubt()
          rounds.distrust()
        },
        intervalMs: options.tableCheckMs,
      },
      log,
    ),
  ]
  const report = options.trafficMs === undefined ? undefined : countTraffic(options.trafficMs)
  following.synced.then(
    () => rounds.begin(),
    (error: unknown) => log.error({ error: String(error) }, 'the API server cannot be followed'),
  )
  function countTraffic(intervalMs: number): TrafficReport {
    const traffic = new ServiceTraffic(network, (frontend) => plan.findFrontend(frontend)?.owner)
    const made = new TrafficReport(traffic, { client, snapshot, nodeName, log, intervalMs })
    metrics.add(() => made.text())
    return made
  }
  const denied =
    policies === 'off' ? undefined : followDenied({ client, network, snapshot, plan, nodeName, metrics }, log)
  const names = policies === 'off' ? undefined : learnNames(network, plan, () => rounds.wake(), log)
  const servers: Server[] = []
  const health = options.health && serveHealth(host, namespace, options.health, source, metrics)
  if (health !== undefined) servers.push(health.server)
  if (options.socket !== undefined) {
    const calm = () => !rounds.busy
    const sources = { host, namespace, nodeName, snapshot, plan, findings, calm, flows: denied?.flows }
    const { path, routes = {} } = options.socket
    const own = ports === undefined ? routes : { 'POST /egress/who': ports.answer, ...routes }
    servers.push(await serveSocket({ path, routes: own }, sources))
  }
  return {
    ready,
    snapshot,
    metrics,
    findings,
    async admit(pod, addresses) {
      await ready
      await admission.admit(pod, addresses)
    },
    settled: () => rounds.settled(),
    healthPort: health?.port,
    async stop() {
      following.stop()
      denied?.stop()
      names?.close()
      for (const one of surroundings) one.stop()
      report?.close()
      draining.close()
      clearTimeout(idle)
      await rounds.stop()
      healthPorts.close()
      for (const module of modules) await module.close?.()
      await Promise.all(servers.map(close))
    },
  }
}

function healthSource(snapshot: Snapshot, nodeName: string, times: { lastRound?: Date; waitingSince?: Date }) {
  return {
    lastRound: () => times.lastRound,
    waitingSince: () => times.waitingSince,
    eligible() {
      const node = snapshot.nodes.get(nodeName)
      if (node === undefined || node.metadata.deletionTimestamp !== undefined) return false
      return !(node.spec?.taints ?? []).some(({ key }) => key === leavingTaint)
    },
  }
}

function account(metrics: Metrics, snapshot: Snapshot, report: RoundReport): void {
  const seconds = report.totalMs / 1000
  const { changes } = report
  metrics.record('kubeproxy_sync_proxy_rules_duration_seconds', seconds)
  metrics.record(
    report.full
      ? 'kubeproxy_sync_full_proxy_rules_duration_seconds'
      : 'kubeproxy_sync_partial_proxy_rules_duration_seconds',
    seconds,
  )
  metrics.record('plumb_round_stage_seconds', report.compileMs / 1000, 'compile')
  metrics.record('plumb_round_stage_seconds', report.loweringMs / 1000, 'lower')
  metrics.record('plumb_round_stage_seconds', report.commitMs / 1000, 'commit')
  metrics.record('plumb_round_operations_total', report.operations)
  metrics.record('plumb_services', snapshot.services.size)
  metrics.record('kubeproxy_sync_proxy_rules_endpoint_changes_total', changes.slices.size)
  metrics.record('kubeproxy_sync_proxy_rules_service_changes_total', changes.services.size)
  if (report.conntrackMs !== undefined) {
    metrics.record('kubeproxy_conntrack_reconciler_sync_duration_seconds', report.conntrackMs / 1000)
  }
  metrics.record('kubeproxy_conntrack_reconciler_deleted_entries_total', report.forgotten)
  if (report.failure !== undefined) {
    metrics.record('kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 1)
    if (report.full) metrics.record('kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total', 1)
    return
  }
  metrics.record('kubeproxy_sync_proxy_rules_last_timestamp_seconds', Date.now() / 1000)
  for (const seconds of programmingSeconds(snapshot, changes)) {
    metrics.record('kubeproxy_network_programming_duration_seconds', seconds)
  }
}

function recordPending(metrics: Metrics, { pending }: ChangeFeed): void {
  metrics.record('kubeproxy_sync_proxy_rules_endpoint_changes_pending', pending.slices.size)
  metrics.record('kubeproxy_sync_proxy_rules_service_changes_pending', pending.services.size)
}

/** How long ago the causes of changed slices were; the first round's say nothing about this agent and are left out. */
function programmingSeconds(snapshot: Snapshot, changes: Changes): number[] {
  const now = Date.now()
  if (changes.slices.size > 1000) return []
  return [...changes.slices].flatMap((key) => {
    const annotations = snapshot.slices.get(key)?.metadata.annotations
    const time = Date.parse(annotations?.['endpoints.kubernetes.io/last-change-trigger-time'] ?? '')
    return Number.isNaN(time) || time > now ? [] : [(now - time) / 1000]
  })
}

function close(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
