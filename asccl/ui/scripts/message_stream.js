// Gradio takes its stream of messages for open until it has read that the server ended it. What the page asks for in
// between would never be answered, and a preview never come. The answer to such a request is therefore held until the
// stream has named it, or has been closed: Gradio then opens the next one. A stream is closed when Gradio aborts its
// request, which is not always heard of where the server has ended it before, and when its data ends or breaks off.
(() => {
  const EVENT = /"event_id": ?"(\w+)"/g;
  const MAX_NAME = 60; // characters of the name of an event, which may lie in two pieces of the stream
  const READ_MS = 100; // within which Gradio reads the last messages of a stream that ended
  const send = window.fetch;
  let stream = null; // the latest one: events that it has named, and whether it is closed
  const waiting = [];

  function proceed() {
    waiting.splice(0).forEach((resume) => resume());
  }

  function close(closed) {
    closed.isClosed = true;
    proceed();
  }

  async function open(request, options) {
    const opened = { events: new Set(), isClosed: false };
    stream = opened;
    (options?.signal ?? request.signal)?.addEventListener("abort", () => close(opened));
    const decoder = new TextDecoder();
    let text = "";
    const pieces = new TransformStream({
      transform(piece, controller) {
        text = text.slice(-MAX_NAME) + decoder.decode(piece, { stream: true });
        for (const [, event] of text.matchAll(EVENT)) opened.events.add(event);
        proceed();
        controller.enqueue(piece);
      },
    });
    try {
      const response = await send(request, options);
      const closeLater = () => setTimeout(() => close(opened), READ_MS);
      response.body.pipeTo(pieces.writable).then(closeLater, closeLater);
      return new Response(pieces.readable, response);
    } catch (error) {
      close(opened);
      throw error;
    }
  }

  async function join(request, options) {
    const response = await send(request, options);
    if (!response.ok) return response;
    const { event_id: event } = await response.clone().json();
    while (stream && !stream.isClosed && !stream.events.has(event)) await new Promise((resume) => waiting.push(resume));
    return response;
  }

  window.fetch = (request, options) => {
    const { pathname } = new URL(request.url ?? request, location.href);
    if (pathname.endsWith("/gradio_api/queue/data")) return open(request, options);
    if (pathname.endsWith("/gradio_api/queue/join")) return join(request, options);
    return send(request, options);
  };
})();
