"""Bytes that no proxy sends: each costs its own stream or connection at most, and others go on."""

import contextlib
import json
import socket
import ssl

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack
import hyperframe.frame
import pytest
from extproc_client import PROCESS, Answer, Stream, ask, open_channel, request_body, request_headers, respond
from harness import eventually

BODY = {"model": "m", "prompt": "Hello"}
# The server's own statuses. UNKNOWN and UNAVAILABLE are what a client sees when a handler or a connection breaks.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.OUT_OF_RANGE,
}


@pytest.fixture(scope="module")
def picker(shared):
    return shared.endpoint_picker([shared.model_server("127.1.13.1")])


@pytest.fixture
def channel(picker):
    with open_channel(picker.address) as channel:
        yield channel


@contextlib.contextmanager
def bystander(channel):
    """An exchange that is under way before and goes on after; the same connection unless another channel is given."""
    stream = Stream(channel)
    assert ask(stream, BODY, path="/v1/completions").endpoint
    yield
    assert respond(stream, b'{"id":', b'"1"}').body == b'{"id":"1"}'
    stream.close()
    stream = Stream(channel)
    assert ask(stream, BODY, path="/v1/completions").endpoint
    stream.cancel()


def field(number, content):
    """A length-delimited protobuf field, for short contents."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


@pytest.mark.parametrize(
    "message",
    [
        b"\xff" * 12, b"\x12\x7f\x0a", b"\x0b\x0b\x0b", b"\x02\x00", field(2, b"\x0a\x05\x0a\x7f\x01\x02\x03"),
        b"\x12" + b"\xff" * 9 + b"\x7f",
    ],
    ids=["no tags", "cut off", "open groups", "field zero", "cut off inside", "a length over 64 bits"],
)
def test_bytes_that_are_no_message(channel, message):
    with bystander(channel):
        code, responses = Stream(channel).send(message).end()
        assert code in REFUSALS and responses == []


def test_deep_structures_in_metadata(channel):
    """Metadata is a tree that a sender shapes: a deep one must not exhaust the stack."""
    value = b"\x10\x01"
    for _ in range(20_000):
        # Value.struct_value { fields { key: "k" value: … } }, each level around the one before.
        entry = b"\x0a\x01k\x12" + varint(len(value)) + value
        struct = b"\x0a" + varint(len(entry)) + entry
        value = b"\x2a" + varint(len(struct)) + struct
    inner = b"\x0a\x01k\x12" + varint(len(value)) + value
    struct = b"\x0a" + varint(len(inner)) + inner
    pair = b"\x0a\x08envoy.lb\x12" + varint(len(struct)) + struct
    context = b"\x0a" + varint(len(pair)) + pair
    message = request_headers(end=True, method="GET", path="/x").SerializeToString()
    message += b"\x42" + varint(len(context)) + context
    with bystander(channel):
        stream = Stream(channel).send(message)
        stream.half_close()
        code, responses = stream.end()
        assert code in REFUSALS or responses, "neither refused nor served"


def varint(value):
    encoded = b""
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def test_an_empty_message(channel):
    """Nothing is asked, so nothing is answered, or it is refused; it is not a reason to wait for ever."""
    with bystander(channel):
        stream = Stream(channel).send(b"")
        stream.half_close()
        code, responses = stream.end()
        assert code in REFUSALS | {grpc.StatusCode.OK} and responses == []


def test_a_message_over_the_limit(channel):
    """4 MiB by default, as in any gRPC server."""
    with bystander(channel):
        stream = Stream(channel).send(request_headers(), request_body(b"x" * (5 << 20), True))
        code, responses = stream.end()
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED and responses == []


def test_the_limit_of_a_message_is_a_flag(services):
    picker = services.endpoint_picker([services.model_server("127.1.14.1")], "--grpc-max-recv-msg-size", "8MiB")
    with open_channel(picker.address) as channel:
        body = json.dumps({"model": "m", "prompt": "x" * (5 << 20)}).encode()
        assert ask(Stream(channel), body, path="/v1/completions", chunk=6 << 20).body == body


@pytest.mark.parametrize(
    "messages",
    [
        [request_body(b"{}", True)],
        [request_headers(), request_headers()],
        [request_headers(end=True, method="GET", path="/x"), request_body(b"x", True)],
        [request_headers(), request_body(b"{}", True), request_body(b"{}", True)],
    ],
    ids=["a body first", "headers twice", "a body after the end", "a body after a body"],
)
def test_messages_in_the_wrong_order(channel, messages):
    """Refused by a gRPC status or an immediate response: ending well would let the proxy go on."""
    with bystander(channel):
        code, responses = Stream(channel).send(*messages).end()
        refused = any(response.HasField("immediate_response") for response in responses)
        assert refused or code in REFUSALS


def test_a_stream_without_a_message(channel):
    with bystander(channel):
        stream = Stream(channel)
        stream.half_close()
        assert stream.end() == (grpc.StatusCode.OK, [])


def test_compressed_messages_work_or_are_refused_as_such(channel):
    """gRPC leaves compression to each server; what it does not know must be UNIMPLEMENTED."""
    with bystander(channel):
        stream = Stream(channel, compression=grpc.Compression.Gzip)
        stream.send(request_headers(path="/v1/completions"))
        stream.send(request_body(json.dumps(BODY | {"prompt": "x" * 5000}).encode(), True))
        answer = Answer()
        try:
            answer.take(stream.receive())
            assert answer.endpoint
        except Exception as ended:
            assert getattr(ended, "code", None) == grpc.StatusCode.UNIMPLEMENTED, ended
        stream.cancel()


def test_unknown_methods(channel):
    for path in PROCESS + "2", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/a/b":
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(path)(b"", timeout=10)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("count", [2_000, 100_000])
def test_a_flood_of_headers_in_a_message(channel, count):
    """Fields of the HTTP request, in one message that is small enough: served or refused, and others go on."""
    with bystander(channel):
        stream = Stream(channel)
        stream.send(request_headers("/x", [(f"x-{number}", "v") for number in range(count)], end=True, method="GET"))
        stream.half_close()
        code, responses = stream.end()
        refused = any(response.HasField("immediate_response") for response in responses)
        assert refused or code in REFUSALS or responses[0].HasField("request_headers")


def test_a_flood_of_metadata(picker):
    """The header section of the gRPC call itself: refused without harm to other connections."""
    with open_channel(picker.address) as channel, open_channel(picker.address) as flood:
        with bystander(channel):
            metadata = [(f"x-{number}", "v" * 1000) for number in range(2_000)]
            stream = Stream(flood, metadata=metadata).send(request_headers("/x", end=True, method="GET"))
            code, responses = stream.end()
            assert code != grpc.StatusCode.OK and responses == []


class RawHTTP2:
    """HTTP/2 frame by frame."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.socket.sendall(self.h2.data_to_send())

    def head(self):
        """The encoded fields of a call; the same for every stream, since nothing enters the table."""
        fields = [
            (":method", "POST"), (":path", PROCESS), (":scheme", "http"), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ]
        return self.h2.encoder.encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])

    def is_ended_by_peer(self):
        """Whether the peer ends the connection, by GOAWAY or by closing it."""
        try:
            while data := self.socket.recv(65536):
                events = self.h2.receive_data(data)
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
                    return True
        except ConnectionError:
            return True
        except h2.exceptions.ProtocolError:
            return False
        return True

    def send(self, data):
        """Sends; false when the peer has closed."""
        try:
            self.socket.sendall(data)
            return True
        except ConnectionError:
            return False


def test_headers_that_never_end(picker, channel):
    """CONTINUATION after CONTINUATION: the connection ends, and memory does not grow by what was sent."""
    with bystander(channel):
        before = picker.resident_bytes()
        peer = RawHTTP2(picker.port)
        first = hyperframe.frame.HeadersFrame(1)
        first.data = peer.head()
        peer.send(first.serialize())
        more = hyperframe.frame.ContinuationFrame(1)
        # A literal field without indexing, again and again.
        more.data = (b"\x00\x01a\x7e" + b"v" * 126) * 120
        block = more.serialize() * 16
        sent = 0
        while sent < 64 << 20 and peer.send(block):
            sent += len(block)
        assert peer.is_ended_by_peer()
        assert picker.resident_bytes() < before + (32 << 20)


def test_streams_that_are_reset_at_once(picker, channel):
    """Rapid reset: the picker ends that connection, serves the others on, and forgets the streams."""
    with bystander(channel):
        peer = RawHTTP2(picker.port)
        head = peer.head()
        for burst in range(40):
            data = b""
            for number in range(250):
                stream = (burst * 250 + number) * 2 + 1
                opened = hyperframe.frame.HeadersFrame(stream)
                opened.data, opened.flags = head, {"END_HEADERS"}
                data += opened.serialize() + hyperframe.frame.RstStreamFrame(stream, error_code=8).serialize()
            if not peer.send(data):
                break
        assert peer.is_ended_by_peer()
    eventually(lambda: picker.leases() == 0, "no request in flight")
    assert not picker.metric("martlet_lease_leaks_total")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 64,
        b"PRI * HTTP/2.0\r\n",
    ],
    ids=["HTTP/1.1", "TLS", "zeros", "half a preface"],
)
def test_other_protocols_on_the_port(picker, channel, data):
    with bystander(channel), socket.create_connection(("127.0.0.1", picker.port), timeout=10) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while peer.recv(65536):
                pass


def test_tls_that_is_none(services):
    """Plaintext on the port with TLS does not disturb those who speak it."""
    picker = services.endpoint_picker([services.model_server("127.1.15.1")], secure=True)
    with socket.create_connection(("127.0.0.1", picker.port), timeout=10) as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while peer.recv(65536):
                pass
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", picker.port), timeout=10) as peer:
        with context.wrap_socket(peer) as wrapped:
            assert wrapped.selected_alpn_protocol() == "h2"
            assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
