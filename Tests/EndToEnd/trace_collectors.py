"""Collectors of traces as OpenTelemetry defines them, over gRPC and over HTTP, made of its own protocol package."""

import concurrent.futures
import dataclasses
import http.server
import ssl
import threading

import grpc
from google.protobuf import json_format
from harness import eventually
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

TRACE_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def value_of(any_value):
    """An attribute's value as Python has it."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in any_value.array_value.values]
    return getattr(any_value, kind)


@dataclasses.dataclass
class Span:
    """One span that a collector received."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    flags: int
    start: int
    end: int
    attributes: dict
    events: dict
    is_error: bool
    message: str


def read_spans(request):
    """The spans of an export, which must be well formed."""
    for resource_spans in request.resource_spans:
        resource = {item.key: value_of(item.value) for item in resource_spans.resource.attributes}
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                assert len(span.trace_id) == 16 and any(span.trace_id), span
                assert len(span.span_id) == 8 and any(span.span_id), span
                assert len(span.parent_span_id) in (0, 8), span
                assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
                yield Span(
                    service=resource["service.name"],
                    name=span.name,
                    kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    trace_state=span.trace_state,
                    flags=span.flags,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes={item.key: value_of(item.value) for item in span.attributes},
                    events={event.name: event.time_unix_nano for event in span.events},
                    is_error=span.status.code == Status.STATUS_CODE_ERROR,
                    message=span.status.message,
                )


class Collector:
    """What the collectors of both protocols have in common."""

    def __init__(self):
        self.lock = threading.Lock()
        self.received = []
        self.requests = []
        # The header fields of each call, names in lower case.
        self.headers = []
        # How the next calls are answered, in order; those behind are accepted.
        self.answers = []
        self.calls = 0

    def take(self, request, headers):
        """Notes a call. Returns how to answer it: `None` to accept it."""
        with self.lock:
            self.calls += 1
            self.headers.append(headers)
            answer = self.answers.pop(0) if self.answers else None
            if answer is None:
                self.requests.append(request)
                self.received += list(read_spans(request))
            return answer

    def spans(self):
        """All spans so far."""
        with self.lock:
            return list(self.received)

    def await_spans(self, wanted, within=15):
        """The spans, once there is one of each name in `wanted`."""

        def complete():
            spans = self.spans()
            return spans if set(wanted) <= {span.name for span in spans} else None

        return eventually(complete, f"spans {sorted(wanted)} among {sorted(s.name for s in self.spans())}", within)


class GRPCCollector(Collector):
    """A collector over gRPC. An answer is a pair of a status code and trailing metadata, or a response."""

    def __init__(self, credentials=None):
        super().__init__()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
        handler = grpc.unary_unary_rpc_method_handler(
            self.export,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )
        service, method = TRACE_PATH.strip("/").split("/")
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        if credentials is None:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"{'http' if credentials is None else 'https'}://{self.address}"
        self.server.start()

    def export(self, request, context):
        answer = self.take(request, dict(context.invocation_metadata()))
        if answer is None:
            return ExportTraceServiceResponse()
        if isinstance(answer, ExportTraceServiceResponse):
            return answer
        code, trailers = answer
        context.set_trailing_metadata(trailers)
        context.abort(code, "on purpose")

    def stop(self):
        self.server.stop(None).wait()


class HTTPCollector(Collector):
    """A collector over HTTP. An answer is a pair of a status and header fields."""

    def __init__(self, certificate=None):
        super().__init__()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                request = ExportTraceServiceRequest()
                if self.headers["content-type"] == "application/json":
                    json_format.Parse(with_base64_ids(body), request)
                else:
                    assert self.headers["content-type"] == "application/x-protobuf"
                    request.ParseFromString(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = collector.take(request, headers | {":path": self.path})
                status, fields = (200, {}) if answer is None else answer
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def with_base64_ids(body):
    """OTLP's JSON with its ids as protobuf's own JSON writes bytes, so that protobuf can read it."""
    import base64
    import json

    document = json.loads(body)
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for key in {"traceId", "spanId", "parentSpanId"} & set(span):
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json.dumps(document)
