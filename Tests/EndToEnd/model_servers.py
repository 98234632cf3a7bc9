"""Model servers that do what a test tells them: chosen metrics, replies of any size, streams at any pace.

All of them run on one event loop in one thread. A server speaks HTTP/1.1 and, with prior knowledge, HTTP/2. What it
answers is in the request's headers:

- nothing: JSON that tells what came in: method, path, headers, size and SHA-256 of the body, trailers
- `x-reply-bytes`: that many bytes, and their SHA-256 in `x-reply-sha256`
- `x-reply-events`, `x-reply-gap-ms`: a stream of server-sent events, one every so many milliseconds
- `x-reply-status`: a status other than 200
- `x-reply-status-of`: a status and the address of the only server that gives it
"""

import asyncio
import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
from harness import end_event_loop

METRICS = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="base"}} {running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="base"}} {waiting}
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{engine="0",model_name="base"}} {kv_cache}
# TYPE vllm:lora_requests_info gauge
vllm:lora_requests_info{{max_lora="{max_lora}",running_lora_adapters="{adapters}",waiting_lora_adapters=""}} 1.78e+09
"""


@dataclass
class Request:
    """A request as it came in."""

    method: str
    path: str
    headers: dict
    body: bytes = b""
    trailers: dict = field(default_factory=dict)


class ModelServer:
    """One server on one address. Metrics may be changed at any time."""

    def __init__(self, host, models, waiting=0, running=0, kv_cache=0.0, adapters=(), max_lora=4):
        self.host, self.models = host, models
        self.waiting, self.running, self.kv_cache = waiting, running, kv_cache
        self.adapters, self.max_lora = adapters, max_lora
        self.requests = 0
        self.cancelled = 0
        # How often the metrics were asked for.
        self.pages = 0

    @property
    def url(self):
        return f"http://{self.address}"

    def metrics_page(self):
        return METRICS.format(
            running=self.running, waiting=self.waiting, kv_cache=self.kv_cache, max_lora=self.max_lora,
            adapters=",".join(self.adapters),
        ).encode()

    async def listen(self, port):
        self.server = await asyncio.start_server(self.serve, self.host, port, limit=2**20)
        self.port = self.server.sockets[0].getsockname()[1]
        self.address = f"{self.host}:{self.port}"

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"PRI * HTTP/2.0"):
                await Http2Server(self, reader, writer).run(head)
            while not head.startswith(b"PRI"):
                await self.exchange(await read_request(reader, head), writer)
                head = await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def exchange(self, request, writer):
        status, headers, chunks = self.answer(request)
        framing = [] if "content-length" in dict(headers) else [("transfer-encoding", "chunked")]
        lines = "".join(f"{name}: {value}\r\n" for name, value in [*headers, *framing])
        writer.write(f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode())
        try:
            async for chunk in chunks:
                writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if framing else chunk)
                await writer.drain()
        except ConnectionError:
            self.cancelled += 1
            raise
        if framing:
            writer.write(b"0\r\n\r\n")

    def answer(self, request):
        """Status, header fields and body of the reply; a body of unknown length has no content-length."""
        path = request.path.partition("?")[0]
        if path == "/metrics":
            self.pages += 1
            return complete("text/plain; version=0.0.4", self.metrics_page())
        if path == "/v1/models" and request.method == "GET" and "x-reply-status" not in request.headers:
            if self.models is None:
                return complete("application/json", b"{}", status=404)
            listed = [{"id": model, "object": "model", "owned_by": "test"} for model in self.models]
            return complete("application/json", json.dumps({"object": "list", "data": listed}).encode())
        self.requests += 1
        status = int(request.headers.get("x-reply-status", 200))
        failing, _, address = request.headers.get("x-reply-status-of", "").partition(" ")
        if address == self.address:
            status = int(failing)
        named = [("x-backend", self.address)]
        if "x-reply-events" in request.headers:
            count, gap = int(request.headers["x-reply-events"]), float(request.headers.get("x-reply-gap-ms", 0))
            return status, [("content-type", "text/event-stream"), *named], self.events(count, gap / 1000)
        if "x-reply-bytes" in request.headers:
            content = patterned(int(request.headers["x-reply-bytes"]))
            named.append(("x-reply-sha256", hashlib.sha256(content).hexdigest()))
            return complete("application/octet-stream", content, named, status)
        told = {
            "endpoint": self.address, "method": request.method, "path": request.path, "headers": request.headers,
            "bytes": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest(),
            "trailers": request.trailers,
        }
        return complete("application/json", json.dumps(told).encode(), named, status)

    async def events(self, count, gap):
        loop, due = asyncio.get_running_loop(), asyncio.Queue()
        started = loop.time()
        for number in range(count):
            # Against the start of the stream, so that late events do not add up.
            loop.call_at(started + number * gap, due.put_nowait, number)
        for _ in range(count):
            number = await due.get()
            yield b'data: {"choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % number
        yield b"data: [DONE]\n\n"


def complete(content_type, content, headers=(), status=200):
    """A reply whose length is known."""

    async def once():
        yield content

    return status, [("content-type", content_type), ("content-length", str(len(content))), *headers], once()


def patterned(length):
    """Bytes that do not repeat with a short period."""
    block = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(4096))
    return (block * (length // len(block) + 1))[:length]


async def read_request(reader, head):
    """The rest of an HTTP/1.1 request whose header section is `head`."""
    request_line, *lines = head.decode("latin-1")[:-4].split("\r\n")
    method, path, _ = request_line.split(" ")
    request = Request(method, path, header_fields(lines))
    if request.headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            request.body += (await reader.readexactly(size + 2))[:-2]
        trailers = []
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            trailers.append(line.decode("latin-1").strip())
        request.trailers = header_fields(trailers)
    elif length := int(request.headers.get("content-length", 0)):
        request.body = await reader.readexactly(length)
    return request


def header_fields(lines):
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Http2Server:
    """One HTTP/2 connection of a model server."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        configuration = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.connection = h2.connection.H2Connection(configuration)
        self.requests = {}
        self.window_opened = asyncio.Event()
        self.tasks = set()

    async def run(self, first_bytes):
        self.connection.initiate_connection()
        data = first_bytes
        while data:
            for event in self.connection.receive_data(data):
                self.handle(event)
            self.writer.write(self.connection.data_to_send())
            data = await self.reader.read(65536)
        for task in self.tasks:
            task.cancel()

    def handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            fields = dict(event.headers)
            self.requests[event.stream_id] = Request(fields.pop(":method"), fields.pop(":path"), fields)
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id].body += event.data
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.requests[event.stream_id].trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            task = asyncio.ensure_future(self.reply(event.stream_id, self.requests.pop(event.stream_id)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif isinstance(event, h2.events.WindowUpdated):
            self.window_opened.set()

    async def reply(self, stream, request):
        status, headers, chunks = self.server.answer(request)
        self.connection.send_headers(stream, [(":status", str(status)), *headers])
        async for chunk in chunks:
            while chunk:
                room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
                if room == 0:
                    self.window_opened.clear()
                    await self.window_opened.wait()
                    continue
                self.connection.send_data(stream, chunk[:room])
                chunk = chunk[room:]
                self.writer.write(self.connection.data_to_send())
        self.connection.end_stream(stream)
        self.writer.write(self.connection.data_to_send())


class ModelServers:
    """The event loop of some model servers, and their thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="model servers", daemon=True)
        self.thread.start()

    def add(self, host="127.1.0.1", port=0, models=None, **metrics):
        """A server that listens; without `models` it does not tell which models it has."""
        server = ModelServer(host, models, **metrics)
        self.run(server.listen(port))
        return server

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=10)

    def stop(self):
        end_event_loop(self.loop)
        self.thread.join(timeout=10)
        self.loop.close()
