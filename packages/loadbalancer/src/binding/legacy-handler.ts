import type { Dispatcher } from 'undici'

type Handler = Dispatcher.DispatchHandler

/** Lets a handler of undici 6's form, which the `fetch` of Node 20 to 24 brings, hear events of undici 7's form. */
export function legacyHandler(handler: Handler): Handler {
  return {
    onRequestStart: (controller) => handler.onConnect?.((reason) => controller.abort(reason ?? new Error('aborted'))),
    onRequestUpgrade: (controller, status, headers, socket) =>
      handler.onUpgrade?.(status, rawOf(controller, headers), socket),
    onResponseStart(controller, status, headers, text) {
      const goesOn = handler.onHeaders?.(status, rawOf(controller, headers), () => controller.resume(), text ?? '')
      if (goesOn === false) controller.pause()
    },
    onResponseData(controller, chunk) {
      if (handler.onData?.(chunk) === false) controller.pause()
    },
    onResponseEnd: (_controller, trailers) =>
      handler.onComplete?.(
        Object.entries(trailers).flatMap(([name, value]) => [
          name,
          Array.isArray(value) ? value.join(', ') : (value ?? ''),
        ]),
      ),
    onResponseError: (_controller, error) => handler.onError?.(error),
  }
}

/** Name and value of each header as bytes, in turn; as they came where undici tells. */
function rawOf(
  controller: Dispatcher.DispatchController,
  headers: Record<string, string | string[] | undefined>,
): Buffer[] {
  const raw = controller.rawHeaders
  if (Array.isArray(raw)) return raw.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).flatMap((one) => [
      Buffer.from(name, 'latin1'),
      Buffer.from(one, 'latin1'),
    ]),
  )
}
