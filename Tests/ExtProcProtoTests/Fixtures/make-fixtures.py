#!/usr/bin/env python3
"""Writes the fixtures beside it with the protobuf classes of Envoy's own schema, as an oracle for the codec.

    python -m venv venv
    venv/bin/pip install xds-protos==1.85.0 protobuf==7.36.2 grpcio==1.85.3 grpcio-health-checking==1.85.1
    venv/bin/python make-fixtures.py            # --check only compares

Each case has a description in JSON and the bytes that protobuf makes of it. Long bodies stand as their length: byte i
of a body is (31 i + 7) mod 256.
"""

import json
import pathlib
import random
import struct
import sys

from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as schema
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

FOLDER = pathlib.Path(__file__).parent
PARTS = (
    "request_headers", "response_headers", "request_body", "response_body", "request_trailers", "response_trailers",
)
NAMES = (":path", ":method", "content-type", "x-request-id", "x-gateway-inference-objective", "x", "", "x-größe")
VALUES = (b"", b"POST", b"/v1/chat/completions", b"10.0.0.1:8000,[::1]:8000", b"\xff\xfe latin", b"v" * 130)
LENGTHS = (0, 1, 40, 127, 128, 16_383, 16_384, 62_000, 1_048_576)


def body_bytes(length):
    return bytes((31 * index + 7) & 0xFF for index in range(length))


def wire_of(encoded, body):
    """The bytes before the body, the body's length, the bytes behind it; a short body is among the first."""
    if len(body) < 64:
        return [encoded.hex(), 0, ""]
    start = encoded.index(body)
    return [encoded[:start].hex(), len(body), encoded[start + len(body) :].hex()]


# Structs


def random_value(choice, depth=0):
    kind = choice.randrange(4 if depth > 2 else 6)
    if kind == 4:
        return [random_value(choice, depth + 1) for _ in range(choice.randrange(4))]
    if kind == 5:
        return random_struct(choice, depth + 1)
    scalars = (None, choice.choice((0, -1, 0.5, 1e300, 8000)), choice.choice(("", "10.0.0.1", "é" * 70)), True)
    return scalars[kind]


def random_struct(choice, depth=0):
    # No name begins another one: the oracle's order of such keys is its own.
    names = choice.sample(("x-gateway-destination-endpoint", "a", "ü", "scores"), choice.randrange(4))
    if choice.random() < 0.1:
        names = [""]
    return {name: random_value(choice, depth) for name in names}


def fill_value(value, content):
    if content is None:
        value.null_value = 0
    elif isinstance(content, bool):
        value.bool_value = content
    elif isinstance(content, str):
        value.string_value = content
    elif isinstance(content, (int, float)):
        value.number_value = content
    elif isinstance(content, list):
        value.list_value.SetInParent()
        for element in content:
            fill_value(value.list_value.values.add(), element)
    else:
        fill_struct(value.struct_value, content)


def fill_struct(target, content):
    target.SetInParent()
    for name in sorted(content, key=str.encode):
        fill_value(target.fields[name], content[name])


def value_content(value):
    kind = value.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    if kind == "list_value":
        return [value_content(element) for element in value.list_value.values]
    if kind == "struct_value":
        return struct_content(value.struct_value)
    return getattr(value, kind)


def struct_content(content):
    return {name: value_content(content.fields[name]) for name in sorted(content.fields)}


# Requests


def random_request(choice):
    """A message, and its body."""
    message = schema.ProcessingRequest()
    part = choice.choice(PARTS)
    body = b""
    member = getattr(message, part)
    member.SetInParent()
    if part.endswith("body"):
        body = body_bytes(choice.choice(LENGTHS))
        member.body = body
        member.end_of_stream = choice.random() < 0.5
        member.end_of_stream_without_message = choice.random() < 0.2
        member.grpc_message_compressed = choice.random() < 0.2
    else:
        fields = member.headers if part.endswith("headers") else member.trailers
        if part.endswith("headers"):
            member.end_of_stream = choice.random() < 0.5
        for _ in range(choice.randrange(6)):
            add_header(fields, choice)
    for _ in range(choice.choice((0, 0, 1, 2))):
        name = choice.choice(("envoy.lb", "envoy.lb.subset_hint", ""))
        fill_struct(message.metadata_context.filter_metadata[name], random_struct(choice))
    if choice.random() < 0.2:
        message.metadata_context.typed_filter_metadata["t"].type_url = "type.googleapis.com/x"
    for _ in range(choice.choice((0, 0, 1, 2))):
        name = choice.choice(("envoy.filters.http.ext_proc", "b"))
        fill_struct(message.attributes[name], random_struct(choice))
    message.observability_mode = choice.random() < 0.2
    if choice.random() < 0.5:
        message.protocol_config.request_body_mode = choice.randrange(7)
        message.protocol_config.response_body_mode = choice.choice((0, 4, 300, -1))
        message.protocol_config.send_body_without_waiting_for_header_response = choice.random() < 0.3
    return message, body


def add_header(fields, choice):
    header = fields.headers.add(key=choice.choice(NAMES))
    if choice.random() < 0.3:
        header.value = choice.choice(VALUES[:4]).decode()
    if choice.random() < 0.8:
        header.raw_value = choice.choice(VALUES)


def request_description(message):
    part = message.WhichOneof("request")
    description = {"part": part}
    if part:
        member = getattr(message, part)
        if part.endswith("body"):
            flags = ("end_of_stream", "end_of_stream_without_message", "grpc_message_compressed")
            description["flags"] = [getattr(member, flag) for flag in flags]
            description["body_length"] = len(member.body)
            ends = member.body[:256] + member.body[-256:]
            description["body_sum"] = sum(index * byte for index, byte in enumerate(ends, 1))
        else:
            fields = member.headers if part.endswith("headers") else member.trailers
            description["headers"] = [
                [header.key, (header.raw_value or header.value.encode()).hex()] for header in fields.headers
            ]
            description["flags"] = [member.end_of_stream] if part.endswith("headers") else []
    description["metadata"] = maps(message.metadata_context.filter_metadata)
    description["attributes"] = maps(message.attributes)
    description["observation"] = message.observability_mode
    if message.HasField("protocol_config"):
        config = message.protocol_config
        description["modes"] = [config.request_body_mode, config.response_body_mode]
        description["early_body"] = config.send_body_without_waiting_for_header_response
    return description


def maps(content):
    return {name: struct_content(content[name]) for name in sorted(content)}


def request_cases():
    # The messages of one POST that Envoy 1.39.3 sent, headers and bodies in full-duplex mode, in hexadecimal digits.
    for line in (FOLDER / "recorded-requests.txt").read_text().split():
        message = schema.ProcessingRequest.FromString(bytes.fromhex(line))
        yield {"wire": [line, 0, ""], "request": request_description(message)}
    choice = random.Random(1)
    for _ in range(60):
        message, body = random_request(choice)
        encoded = message.SerializeToString(deterministic=True)
        yield {"wire": wire_of(encoded, body), "request": request_description(message)}


def damaged_cases():
    """Damaged messages with the oracle's verdict; its schema has only the fields that the codec reads.

    With other seeds a case can come out in which a map's entry has an unknown field. This implementation of protobuf
    then drops the entry, others drop the field, and so does the codec.
    """
    narrowed = narrowed_request()
    choice = random.Random(2)
    count = 0
    while count < 160:
        message, _ = random_request(choice)
        encoded = bytearray(message.SerializeToString(deterministic=True))
        if not 8 < len(encoded) < 160:
            continue
        for _ in range(choice.randint(1, 2)):
            at = choice.randrange(len(encoded))
            kind = choice.choice((0, 0, 0, 1, 1, 1, 2, 3, 4))
            if kind == 0:
                encoded[at] ^= 1 << choice.randrange(8)
            elif kind == 1:
                encoded[at] = choice.randrange(256)
            elif kind == 2 and len(encoded) > 2:
                del encoded[at]
            elif kind == 3:
                encoded[at:at] = choice.choice((b"\x80", b"\x0b", b"\x0c", b"\xa0\x06\x01", b"\xff", b"\x00"))
            elif len(encoded) > 4:
                del encoded[max(2, at) :]
        try:
            verdict = request_description(narrowed.FromString(bytes(encoded)))
            json.dumps(verdict, allow_nan=False)
        except DecodeError:
            verdict = None
        except ValueError:
            # A number that is none of JSON's.
            continue
        count += 1
        yield {"wire": [encoded.hex(), 0, ""], "request": verdict}


def narrowed_request():
    """ProcessingRequest without the fields that the codec passes over unread."""
    pool = descriptor_pool.DescriptorPool()
    unread = {"HttpHeaders": "attributes", "Metadata": "typed_filter_metadata"}
    added = set()

    def add(file):
        if file.name in added:
            return
        added.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        if file in (schema.DESCRIPTOR, base_pb2.DESCRIPTOR):
            for message in proto.message_type:
                for field in [field for field in message.field if field.name == unread.get(message.name)]:
                    message.field.remove(field)
        pool.Add(proto)

    add(schema.DESCRIPTOR)
    name = schema.ProcessingRequest.DESCRIPTOR.full_name
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


# Responses


def random_changes(choice):
    sets = [
        [choice.choice(NAMES), choice.choice(VALUES[:4]).decode(), choice.randrange(4)]
        for _ in range(choice.randrange(4))
    ]
    return {"set": sets, "remove": choice.choices(NAMES, k=choice.choice((0, 0, 1, 2)))}


def random_response(choice):
    """A description. The first kinds of body make sense in answers to bodies, and the schema has them anywhere."""
    answer = choice.choice(PARTS + ("immediate_response",))
    description = {"answer": answer}
    if choice.random() < 0.8:
        description["changes"] = random_changes(choice)
    if answer == "immediate_response":
        description["status"] = choice.choice((400, 413, 429, 503))
        description["body_length"] = choice.choice(LENGTHS[:6])
        description["grpc_status"] = choice.choice((None, 0, 8, 14))
        description["details"] = choice.choice(("", "no_endpoint"))
    elif not answer.endswith("trailers"):
        description["replace"] = choice.random() < 0.2
        description["clear_route_cache"] = choice.random() < 0.4
        description["body"] = choice.choice(("none", "replaced", "cleared", "streamed", "streamed", "streamed"))
        description["body_length"] = choice.choice(LENGTHS)
        description["flags"] = [choice.random() < 0.5, choice.random() < 0.2, choice.random() < 0.2]
        if choice.random() < 0.2:
            description["trailers"] = [[choice.choice(NAMES), "v"] for _ in range(choice.randrange(3))]
    if choice.random() < 0.4:
        description["metadata"] = random_struct(choice)
    if choice.random() < 0.2:
        modes = [choice.randrange(3) for _ in range(6)]
        modes[2:4] = choice.choice((0, 4, 5)), choice.choice((2, 300, -1))
        description["mode_override"] = modes
    if choice.random() < 0.2:
        description["timeout"] = choice.choice(([0, 0], [1, 500_000_000], [-2, -250_000_000], [86_400, 1]))
    return description


def response_message(description):
    """The message of a description, and its body."""
    message = schema.ProcessingResponse()
    answer = description["answer"]
    member = getattr(message, answer)
    member.SetInParent()
    body = body_bytes(description.get("body_length", 0))
    if answer == "immediate_response":
        member.status.code = description["status"]
        fill_changes(member, "headers", description)
        member.body = body
        if description["grpc_status"] is not None:
            member.grpc_status.SetInParent()
            member.grpc_status.status = description["grpc_status"]
        member.details = description["details"]
    elif answer.endswith("trailers"):
        fill_changes(member, "header_mutation", description)
    else:
        body = fill_common(member, description, body)
    if "metadata" in description:
        fill_struct(message.dynamic_metadata, description["metadata"])
    if "mode_override" in description:
        message.mode_override.SetInParent()
        for field, mode in zip(message.mode_override.DESCRIPTOR.fields, description["mode_override"]):
            setattr(message.mode_override, field.name, mode)
    if "timeout" in description:
        message.override_message_timeout.SetInParent()
        message.override_message_timeout.seconds, message.override_message_timeout.nanos = description["timeout"]
    return message, body


def fill_common(member, description, body):
    common = schema.CommonResponse()
    fill_changes(common, "header_mutation", description)
    common.status = int(description["replace"])
    common.clear_route_cache = description["clear_route_cache"]
    kind = description["body"]
    if kind == "replaced":
        common.body_mutation.body = body
    elif kind == "streamed":
        streamed = common.body_mutation.streamed_response
        streamed.SetInParent()
        streamed.body = body
        streamed.end_of_stream, streamed.end_of_stream_without_message, streamed.grpc_message_compressed = (
            description["flags"]
        )
    else:
        body = b""
        if kind == "cleared":
            common.body_mutation.clear_body = True
    if "trailers" in description:
        common.trailers.SetInParent()
        for name, value in description["trailers"]:
            common.trailers.headers.add(key=name, raw_value=value.encode())
    if common.ByteSize():
        member.response.CopyFrom(common)
    return body


def fill_changes(member, field, description):
    changes = description.get("changes", {"set": [], "remove": []})
    if not changes["set"] and not changes["remove"]:
        return
    mutation = getattr(member, field)
    for name, value, action in changes["set"]:
        option = mutation.set_headers.add(append_action=action)
        option.header.SetInParent()
        option.header.key = name
        option.header.raw_value = value.encode()
    mutation.remove_headers.extend(changes["remove"])


def body_last(encoded, path):
    """The same message with the fields on `path` behind their siblings; protobuf lets fields stand in any order."""
    if not path:
        return encoded
    others, last = b"", b""
    offset = 0
    while offset < len(encoded):
        start = offset
        tag, offset = varint(encoded, offset)
        if tag & 7 == 0:
            _, offset = varint(encoded, offset)
        else:
            length, offset = varint(encoded, offset)
            offset += length
        if tag >> 3 in path[0]:
            content = encoded[offset - length : offset] if tag & 7 == 2 else b""
            moved = body_last(content, path[1:])
            head = encoded[start : offset - length] if tag & 7 == 2 else encoded[start:offset]
            last += head + moved
        else:
            others += encoded[start:offset]
    return others + last


def varint(encoded, offset):
    value, shift = 0, 0
    while True:
        byte = encoded[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, offset


def response_cases():
    choice = random.Random(3)
    for _ in range(90):
        description = random_response(choice)
        message, body = response_message(description)
        encoded = message.SerializeToString(deterministic=True)
        if description["answer"] == "immediate_response":
            path = ({7}, {3})
        elif description["answer"].endswith("trailers"):
            path = ({5, 6},)
        else:
            path = ({1, 2, 3, 4}, {1}, {3}, {3}, {1})
        moved = body_last(encoded, path)
        assert schema.ProcessingResponse.FromString(moved) == message and moved.endswith(body)
        framed = struct.pack(">BI", 0, len(moved)) + moved
        yield {"head": framed[: len(framed) - len(body)].hex(), "body": len(body), "response": description}


# Health


def health_cases():
    services = ("", "liveness", "envoy.service.ext_proc.v3.ExternalProcessor")
    statuses = [health_pb2.HealthCheckResponse(status=status).SerializeToString().hex() for status in range(4)]
    listed = health_pb2.HealthListResponse()
    for status, service in enumerate(services[1:], 1):
        listed.statuses[service].status = status
    return {
        "requests": {
            service: health_pb2.HealthCheckRequest(service=service).SerializeToString().hex() for service in services
        },
        "statuses": statuses,
        "list": listed.SerializeToString(deterministic=True).hex(),
        "listed": sorted(services[1:]),
    }


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n"


def main():
    files = {
        "requests.json": lines(request_cases()),
        "damaged-requests.json": lines(damaged_cases()),
        "responses.json": lines(response_cases()),
        "health.json": json.dumps(health_cases(), indent=1) + "\n",
    }
    if "--check" not in sys.argv[1:]:
        for name, text in files.items():
            (FOLDER / name).write_text(text)
        return 0
    different = [name for name, text in files.items() if (FOLDER / name).read_text() != text]
    for name in different:
        print(f"{name} differs from what protobuf makes")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
