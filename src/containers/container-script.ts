import type { Container, Pod } from '../objects/index.ts'

/** A directory of the machine that a container sees at `target`. */
export interface Mount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
}

/**
 * What turns a fresh mount, UTS and PID namespace into a container, run by its first process. The root is an overlay: the
 * container sees the machine's files, what it writes goes to a tmpfs of its own and ends with it. /dev has only the
 * harmless devices. Descriptor 3 gets the process id, seen from the lab (/proc is still the lab's then), and `ready`.
 *
 * Arguments: scratch directory, directory of the files for /etc, host name, working directory, then the command.
 */
export function containerScript(mounts: readonly Mount[]): string {
  const binds = mounts.map(({ source, target, readOnly }) => {
    const from = quote(source)
    // Links in the path (/var/run) lead where they lead in the container, never out of it.
    const place = `to=.$(chroot . realpath -m -- ${quote(target)})\n`
    // A bind mount takes `ro` only in a second step (mount(2), MS_REMOUNT).
    const seal = readOnly ? 'mount -o remount,bind,ro "$to"\n' : ''
    const make = `if [ -d ${from} ]; then mkdir -p "$to"; else mkdir -p "$(dirname "$to")"; : >"$to"; fi\n`
    return `${place}${make}mount --bind ${from} "$to"\n${seal}`
  })
  return `set -e
read -r pid rest </proc/self/stat
echo "$pid" >&3
scratch=$1 files=$2 name=$3 directory=$4
shift 4
own_path=$PATH
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755 container "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/root"
cd "$scratch/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 dev dev
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev/
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs shm dev/shm
rm -f etc/resolv.conf etc/hosts etc/hostname
cp "$files/resolv.conf" "$files/hosts" "$files/hostname" etc/
hostname "$name"
${binds.join('')}pivot_root . .
umount -l .
cd "$directory"
PATH=$own_path
unset OLDPWD
echo ready >&3
exec 3>&-
exec "$@"
`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

// What container engines leave a root process by default.
const defaultCapabilities = [
  'audit_write',
  'chown',
  'dac_override',
  'fowner',
  'fsetid',
  'kill',
  'mknod',
  'net_bind_service',
  'net_raw',
  'setfcap',
  'setgid',
  'setpcap',
  'setuid',
  'sys_chroot',
]

interface SecurityContext {
  readonly runAsUser?: number
  readonly runAsGroup?: number
  /** The pod's: groups that every process has besides its own. */
  readonly fsGroup?: number
  readonly supplementalGroups?: readonly number[]
  readonly privileged?: boolean
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] }
}

/** The command under the privileges that the pod's and the container's `securityContext` leave it (`setpriv`, util-linux). */
export function withPrivileges(pod: Pod, container: Container, argv: readonly string[]): string[] {
  const context = {
    ...(pod.spec as { securityContext?: SecurityContext }).securityContext,
    ...(container as { securityContext?: SecurityContext }).securityContext,
  }
  const { runAsUser = 0, runAsGroup, privileged, capabilities = {} } = context
  const { fsGroup, supplementalGroups = [] } = context
  const groups = [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])]
  const options: string[] = []
  if (runAsUser !== 0) options.push(`--reuid=${runAsUser}`)
  if (runAsUser !== 0 || runAsGroup !== undefined) options.push(`--regid=${runAsGroup ?? runAsUser}`)
  if (groups.length > 0) options.push(`--groups=${groups.join(',')}`)
  else if (options.length > 0) options.push('--clear-groups')
  if (!privileged) options.push(`--bounding-set=${boundingSet(capabilities)}`)
  return options.length === 0 ? [...argv] : ['setpriv', ...options, '--', ...argv]
}

function boundingSet({ add = [], drop = [] }: NonNullable<SecurityContext['capabilities']>): string {
  const normal = (name: string) => name.toLowerCase().replace(/^cap_/, '')
  const dropped = drop.map(normal)
  const added = add.map(normal)
  if (added.includes('all')) return '+all'
  const kept = dropped.includes('all') ? [] : defaultCapabilities.filter((name) => !dropped.includes(name))
  return ['-all', ...[...new Set([...kept, ...added])].map((name) => `+${name}`)].join(',')
}
