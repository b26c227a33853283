import type { CniRequest } from '../agent/index.ts'
import { askAgent } from './ask-agent.ts'

/** The versions of the specification whose requests this plugin answers. */
const supportedVersions = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']
const bodyLimit = 1 << 20

/** Which plugin is called, and where its agent listens unless the configuration says so. */
export interface Called {
  readonly plugin: 'plumb' | 'loopback'
  readonly socket: string
}

interface NetworkConfiguration {
  cniVersion?: string
  name?: string
  /** Where the agent listens; set by the configuration that `plumb install` writes. */
  socket?: string
  /** Of the plugins before this one. */
  prevResult?: Record<string, unknown>
  'cni.dev/valid-attachments'?: { containerID: string; ifname: string }[]
}

/** What the runtime gets: JSON for standard output, and the exit status. */
interface Outcome {
  readonly stdout: string
  readonly exitCode: number
}

/** One call of the CNI plugin (CNI 1.1.0): environment and standard input in, result out. The agent does the work. */
export async function runCni(
  env: NodeJS.ProcessEnv,
  stdin: string,
  called: Called = { plugin: 'plumb', socket: '/run/plumb/agent.sock' },
): Promise<Outcome> {
  const command = env.CNI_COMMAND ?? ''
  if (command === 'VERSION') return success({ cniVersion: '1.1.0', supportedVersions })
  if (stdin.length > bodyLimit) return failure('1.1.0', 6, 'the network configuration is larger than 1 MiB')
  let configuration: NetworkConfiguration
  try {
    configuration = JSON.parse(stdin) as NetworkConfiguration
  } catch (error) {
    return failure('1.1.0', 6, `the network configuration on standard input is not JSON: ${(error as Error).message}`)
  }
  const version = configuration.cniVersion ?? '1.1.0'
  if (!supportedVersions.includes(version)) {
    return failure('1.1.0', 1, `cniVersion "${version}" is not supported; use one of ${supportedVersions.join(', ')}`)
  }
  try {
    const asked = toRequest(command, env, configuration)
    const request = called.plugin === 'loopback' ? { ...asked, plugin: called.plugin } : asked
    const socket = configuration.socket ?? called.socket
    const { answer } = await askAgent<Record<string, unknown>>(socket, '/cni', request, 30_000)
    if (answer.error !== undefined) return failure(version, 100, answer.error)
    if (typeof answer.code === 'number') return failure(version, answer.code, String(answer.msg))
    if (command !== 'ADD') return { stdout: '', exitCode: 0 }
    // In a chain, `loopback` hands on what was made before it.
    const made = called.plugin === 'loopback' ? (configuration.prevResult ?? answer) : answer
    return success({ ...made, cniVersion: version })
  } catch (error) {
    // 11: try again later; the runtime repeats the call when the agent is back.
    return failure(version, command === 'STATUS' ? 50 : 11, (error as Error).message)
  }
}

function toRequest(command: string, env: NodeJS.ProcessEnv, configuration: NetworkConfiguration): CniRequest {
  const args = new Map((env.CNI_ARGS ?? '').split(';').map((pair) => pair.split('=', 2) as [string, string]))
  const namespace = args.get('K8S_POD_NAMESPACE')
  const name = args.get('K8S_POD_NAME')
  const uid = args.get('K8S_POD_UID')
  return {
    command: command as CniRequest['command'],
    ...(env.CNI_CONTAINERID === undefined ? {} : { containerId: env.CNI_CONTAINERID }),
    ...(env.CNI_NETNS === undefined || env.CNI_NETNS === '' ? {} : { netns: env.CNI_NETNS }),
    ...(env.CNI_IFNAME === undefined ? {} : { ifname: env.CNI_IFNAME }),
    ...(namespace === undefined || name === undefined
      ? {}
      : { pod: { namespace, name, ...(uid === undefined ? {} : { uid }) } }),
    ...(command === 'GC' ? { validAttachments: configuration['cni.dev/valid-attachments'] ?? [] } : {}),
  }
}

function success(result: unknown): Outcome {
  return { stdout: `${JSON.stringify(result)}\n`, exitCode: 0 }
}

function failure(cniVersion: string, code: number, msg: string): Outcome {
  return { stdout: `${JSON.stringify({ cniVersion, code, msg })}\n`, exitCode: 1 }
}
