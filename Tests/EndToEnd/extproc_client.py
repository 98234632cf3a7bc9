"""An ext_proc client: plays the proxy towards `martlet epp` and `martlet bbr`.

The transport is gRPC's own library and the messages are Envoy's own, so nothing here shares code with the program.
"""

import asyncio
import contextlib
import json
import queue
import ssl
import threading
from dataclasses import dataclass, field

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf import struct_pb2
from harness import end_event_loop

PROCESS = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
ENDPOINT = "x-gateway-destination-endpoint"
SUBSET = "x-gateway-destination-endpoint-subset"
SERVED = "x-gateway-destination-endpoint-served"
# What the protocol's text allows for one chunk of a reply.
LARGEST_REPLY_CHUNK = 62_000

Mode = processing_mode_pb2.ProcessingMode
FULL_DUPLEX = Mode.FULL_DUPLEX_STREAMED


class StreamEnded(Exception):
    """The server ended the stream; `code` is its gRPC status."""

    def __init__(self, code, details):
        super().__init__(f"the stream ended with {code.name}: {details}")
        self.code = code


def open_channel(address, *options):
    """A plaintext channel. Each has connections of its own, so that tests do not meet in one."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1), *options]
    return grpc.insecure_channel(address, options=options)


def serialize(message):
    return message if isinstance(message, bytes) else message.SerializeToString()


class Stream:
    """One ext_proc stream, which stands for one HTTP exchange. Messages may also be bytes that are no message."""

    def __init__(self, channel, timeout=25, metadata=(), compression=None):
        method = channel.stream_stream(PROCESS, serialize, ext_proc.ProcessingResponse.FromString)
        self._outgoing, self._incoming = queue.SimpleQueue(), queue.SimpleQueue()
        self._call = method(iter(self._outgoing.get, None), timeout=timeout, metadata=metadata, compression=compression)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self._call:
                self._incoming.put(response)
            self._incoming.put(StreamEnded(grpc.StatusCode.OK, ""))
        except grpc.RpcError as error:
            self._incoming.put(StreamEnded(error.code(), error.details()))

    def send(self, *messages):
        for message in messages:
            self._outgoing.put(message)
        return self

    def half_close(self):
        """Says that no message follows, as Envoy does when the exchange is over."""
        self._outgoing.put(None)

    def cancel(self):
        self._call.cancel()

    def receive(self, within=10):
        """The next response; StreamEnded if there is none any more."""
        try:
            response = self._incoming.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"no answer within {within} s") from None
        if isinstance(response, StreamEnded):
            raise response
        return response

    def end(self, within=10):
        """The gRPC status that ends the stream, and the responses before it."""
        responses = []
        try:
            while True:
                responses.append(self.receive(within))
        except StreamEnded as ended:
            return ended.code, responses

    def is_silent(self, seconds=0.25):
        """Whether nothing comes for a while."""
        try:
            self._incoming.put(self._incoming.get(timeout=seconds))
            return False
        except queue.Empty:
            return True

    def close(self):
        """The end of an exchange that went well: the server must end it well too, and say nothing more."""
        self.half_close()
        code, rest = self.end()
        assert code == grpc.StatusCode.OK and rest == [], f"{code.name}, {rest}"


def header_map(fields, raw=True):
    """A HeaderMap; Envoy fills raw_value, other proxies fill value."""
    entries = []
    for name, value in fields:
        content = {"raw_value": value.encode("latin-1")} if raw else {"value": value}
        entries.append(base_pb2.HeaderValue(key=name, **content))
    return base_pb2.HeaderMap(headers=entries)


def subset_hint(value):
    """The metadata of a subset hint: a list, one text, or anything that JSON can say."""
    return {"envoy.lb.subset_hint": {SUBSET: value}}


def _context(metadata):
    context = base_pb2.Metadata()
    for namespace, fields in (metadata or {}).items():
        context.filter_metadata[namespace].update(fields)
    return context


def _message(kind, content, metadata=None, **more):
    context = {"metadata_context": _context(metadata)} if metadata is not None else {}
    return ext_proc.ProcessingRequest(**{kind: content}, **context, **more)


def request_headers(
    path="/v1/chat/completions", fields=(), *, end=False, mode=FULL_DUPLEX, response_mode=FULL_DUPLEX, metadata=None,
    method="POST", raw=True, **more,
):
    """The first message of a stream. `mode` None leaves out the protocol configuration, as old proxies do."""
    fields = [(":method", method), (":path", path), (":authority", "gateway.test"), (":scheme", "http"), *fields]
    if mode is not None:
        more["protocol_config"] = ext_proc.ProtocolConfiguration(
            request_body_mode=mode, response_body_mode=response_mode
        )
    content = ext_proc.HttpHeaders(headers=header_map(fields, raw), end_of_stream=end)
    return _message("request_headers", content, metadata, **more)


def response_headers(status=200, fields=(("content-type", "application/json"),), *, end=False, metadata=None, **more):
    content = ext_proc.HttpHeaders(headers=header_map([(":status", str(status)), *fields]), end_of_stream=end)
    return _message("response_headers", content, metadata, **more)


def request_body(data, end=False, metadata=None):
    return _message("request_body", ext_proc.HttpBody(body=data, end_of_stream=end), metadata)


def response_body(data, end=False, metadata=None):
    return _message("response_body", ext_proc.HttpBody(body=data, end_of_stream=end), metadata)


def request_trailers(*fields):
    return _message("request_trailers", ext_proc.HttpTrailers(trailers=header_map(fields)))


def response_trailers(*fields):
    return _message("response_trailers", ext_proc.HttpTrailers(trailers=header_map(fields)))


def upstream_address(address):
    """The attribute that tells a picker who served."""
    attributes = struct_pb2.Struct()
    attributes.update({"upstream.address": address})
    return {"attributes": {"envoy.filters.http.ext_proc": attributes}}


def mutated(response):
    """The header fields that a response sets, by lower-case name. Of raw_value and value Envoy reads the first only."""
    kind = response.WhichOneof("response")
    holder = getattr(response, kind)
    mutation = holder.headers if kind == "immediate_response" else holder.response.header_mutation
    for option in mutation.set_headers:
        assert not option.header.value, f"{option.header.key} stands in value, which Envoy takes for empty"
    return {option.header.key.lower(): option.header.raw_value.decode("latin-1") for option in mutation.set_headers}


@dataclass
class Answer:
    """What a server did with one half of an exchange."""

    headers: ext_proc.ProcessingResponse | None = None
    bodies: list = field(default_factory=list)
    trailers: ext_proc.ProcessingResponse | None = None
    immediate: ext_proc.ImmediateResponse | None = None
    set: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)

    @property
    def body(self):
        """The body that comes out, and the rules for its chunks in full duplex."""
        pieces = []
        for number, response in enumerate(self.bodies):
            holder = getattr(response, response.WhichOneof("response"))
            streamed = holder.response.body_mutation.streamed_response
            assert holder.response.body_mutation.WhichOneof("mutation") == "streamed_response"
            assert len(streamed.body) <= LARGEST_REPLY_CHUNK, f"a chunk of {len(streamed.body)} bytes"
            assert not streamed.end_of_stream or number == len(self.bodies) - 1, "a chunk after the last"
            pieces.append(streamed.body)
        return b"".join(pieces)

    @property
    def ends_with_body(self):
        last = self.bodies[-1]
        return getattr(last, last.WhichOneof("response")).response.body_mutation.streamed_response.end_of_stream

    @property
    def endpoint(self):
        """The pick. Header and metadata must hold the same, and the route must be chosen again."""
        assert self.immediate is None, self.refusal()
        picked = self.set[ENDPOINT]
        assert self.metadata.get("envoy.lb", {}).get(ENDPOINT) == picked, self.metadata
        return picked

    def refusal(self):
        """Status, header fields and body of an immediate response."""
        assert self.immediate is not None, f"no immediate response but {self.headers}"
        options = self.immediate.headers.set_headers
        fields = {option.header.key.lower(): option.header.raw_value.decode() for option in options}
        return self.immediate.status.code, fields, self.immediate.body

    def error(self, status):
        """The member `error` of a refusal with an OpenAI-style body and the expected status."""
        got, fields, body = self.refusal()
        assert got == status, f"{got}: {body!r}"
        assert fields.get("content-type", "").startswith("application/json"), fields
        error = json.loads(body)["error"]
        assert error["message"] and error["type"], error
        return error | {"fields": fields}

    def take(self, response):
        """Files a response; true when it was an immediate one, after which nothing counts."""
        self.metadata |= to_json(response.dynamic_metadata)
        kind = response.WhichOneof("response")
        if kind == "immediate_response":
            self.immediate = response.immediate_response
            return True
        if kind.endswith("_headers"):
            assert self.headers is None and not self.bodies and self.trailers is None, "headers after something else"
            self.headers = response
        elif kind.endswith("_body"):
            assert self.trailers is None, "a body after the trailers"
            self.bodies.append(response)
        else:
            self.trailers = response
        if not kind.endswith("_trailers"):
            self.set |= mutated(response)
        return False


def to_json(struct):
    """A protobuf Struct as a Python value."""

    def plain(value):
        kind = value.WhichOneof("kind")
        if kind == "struct_value":
            return {key: plain(entry) for key, entry in value.struct_value.fields.items()}
        if kind == "list_value":
            return [plain(entry) for entry in value.list_value.values]
        return getattr(value, kind)

    return {key: plain(value) for key, value in struct.fields.items()}


def pieces(data, size):
    """Data in pieces of a size; one empty piece of no data."""
    return [data[start : start + size] for start in range(0, len(data), size)] or [b""]


def ask(stream, body, fields=(), *, trailers=None, chunk=2**20, metadata=None, **options):
    """The request half in full duplex, as Envoy sends it: an empty last message, or trailers, ends the body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    stream.send(request_headers(fields=fields, metadata=metadata, **options))
    stream.send(*(request_body(piece, metadata=metadata) for piece in pieces(content, chunk)))
    stream.send(request_trailers(*trailers) if trailers is not None else request_body(b"", True, metadata))
    answer = Answer()
    while not answer.take(stream.receive()):
        if answer.trailers is not None or (answer.bodies and answer.ends_with_body):
            break
    return answer


def get(stream, path, fields=(), **options):
    """The request half of a request without a body."""
    answer = Answer()
    answer.take(stream.send(request_headers(path, fields, end=True, method="GET", **options)).receive())
    return answer


def respond(stream, *chunks, status=200, content_type="application/json", trailers=None, **options):
    """The response half in full duplex; each chunk is a message, the last one ends the body unless trailers follow."""
    stream.send(response_headers(status, [("content-type", content_type)], **options))
    answer = Answer()
    answer.take(stream.receive())
    for number, chunk in enumerate(chunks):
        stream.send(response_body(chunk, trailers is None and number == len(chunks) - 1))
    if trailers is not None:
        stream.send(response_trailers(*trailers))
    while answer.trailers is None and not (answer.bodies and answer.ends_with_body):
        answer.take(stream.receive())
    return answer


class TLSTunnel:
    """A plaintext address whose bytes go through TLS to another one, without a look at the certificate.

    gRPC's Python library cannot skip verification, and the certificate of a picker names nobody. `agreed` has what ALPN
    agreed on, once for each connection.
    """

    def __init__(self, address, protocols=("h2",)):
        self.host, _, self.port = address.rpartition(":")
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.set_alpn_protocols(list(protocols))
        self.agreed = []
        self.loop = asyncio.new_event_loop()

    def __enter__(self):
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.serve, "127.0.0.1", 0), self.loop).result()
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        end_event_loop(self.loop)

    async def serve(self, reader, writer):
        outer_reader, outer_writer = await asyncio.open_connection(self.host, int(self.port), ssl=self.context)
        self.agreed.append(outer_writer.get_extra_info("ssl_object").selected_alpn_protocol())

        async def copy(source, sink):
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, outer_writer), copy(outer_reader, writer))
