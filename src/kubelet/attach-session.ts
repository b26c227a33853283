import { ContainerProcess, type RunningContainer } from '../containers/index.ts'
import { type RemoteStreams, successStatus } from './remote-streams.ts'

// A client that does not read is cut off: the container must not wait for it.
const maximumBacklog = 4 << 20

/** Joins a client to the streams of a running container until either is gone. A container without a program shows its log. */
export function runAttachSession(streams: RemoteStreams, running: RunningContainer, stdinOnce: boolean): void {
  if (running instanceof ContainerProcess) joinProcess(streams, running, stdinOnce)
  else followLog(streams, running)
}

function joinProcess(streams: RemoteStreams, running: ContainerProcess, stdinOnce: boolean): void {
  const attachment = running.attach((name, data) => {
    const stream = streams[name]
    if (stream === undefined || stream.destroyed) return
    if (stream.writableLength > maximumBacklog) stream.destroy()
    else stream.write(data)
  })
  const { input } = attachment
  if (input === undefined) streams.stdin?.resume()
  // Only with `stdinOnce` the first client's end is the input's end; otherwise another one may come.
  else streams.stdin?.pipe(input, { end: stdinOnce })
  streams.onResize((columns, rows) => attachment.resize(columns, rows))
  streams.onClose(() => {
    attachment.detach()
    if (input !== undefined) streams.stdin?.unpipe(input)
    if (stdinOnce) input?.end()
  })
  void running.exited.then(() => streams.finish(successStatus))
}

function followLog(streams: RemoteStreams, { log }: RunningContainer): void {
  streams.stdin?.resume()
  streams.stdout?.write(log.read())
  const stop = log.follow({}, (text) => {
    if (text === undefined) void streams.finish(successStatus)
    else if ((streams.stdout?.writableLength ?? 0) > maximumBacklog) streams.stdout?.destroy()
    else streams.stdout?.write(text)
  })
  streams.onClose(stop)
}
