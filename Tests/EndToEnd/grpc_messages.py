"""The messages of vLLM's gRPC engine API, and of Vertex AI's as far as they matter, as classes of Google's protobuf.

They are described here field by field and not compiled, so that the tests need no compiler.
"""

from google.api import httpbody_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HttpBody = httpbody_pb2.HttpBody
GENERATE = "/vllm.grpc.engine.VllmEngine/Generate"
EMBED = "/vllm.grpc.engine.VllmEngine/Embed"
PREDICTION = "/google.cloud.aiplatform.v1beta1.PredictionService/"

Field = descriptor_pb2.FieldDescriptorProto
# Type names: `*` repeats a field, `?` gives it presence, and a third part of a field is the oneof that it is in.
VLLM = {
    "SamplingParams": {
        "temperature": (1, "float?"), "top_p": (2, "float"), "max_tokens": (8, "uint32?"), "stop": (10, "string*"),
        "n": (15, "uint32"), "seed": (24, "int32?"),
    },
    "TokenizedInput": {"original_text": (1, "string"), "input_ids": (2, "uint32*")},
    "PlaceholderRange": {"offset": (1, "uint32"), "length": (2, "uint32")},
    "MultimodalInputs": {"mm_placeholders": (5, "PlaceholderRange*"), "mm_hashes": (6, "string*")},
    "GenerateRequest": {
        "request_id": (1, "string"), "tokenized": (2, "TokenizedInput", "input"), "text": (3, "string", "input"),
        "sampling_params": (4, "SamplingParams"), "stream": (5, "bool"), "mm_inputs": (7, "MultimodalInputs"),
    },
    "GenerateStreamChunk": {
        "token_ids": (1, "uint32*"), "prompt_tokens": (2, "uint32"), "completion_tokens": (3, "uint32"),
        "cached_tokens": (4, "uint32"),
    },
    "GenerateComplete": {
        "output_ids": (1, "uint32*"), "finish_reason": (2, "string"), "prompt_tokens": (3, "uint32"),
        "completion_tokens": (4, "uint32"), "cached_tokens": (5, "uint32"),
    },
    "GenerateResponse": {
        "chunk": (1, "GenerateStreamChunk", "response"), "complete": (2, "GenerateComplete", "response"),
    },
    "EmbedRequest": {"request_id": (1, "string"), "tokenized": (2, "TokenizedInput")},
    "EmbedResponse": {"embedding": (1, "float*"), "prompt_tokens": (2, "uint32"), "embedding_dim": (3, "uint32")},
}
VERTEX = {
    name: {"endpoint": (1, "string"), "http_body": (2, ".google.api.HttpBody")}
    for name in ("ChatCompletionsRequest", "RawPredictRequest", "StreamRawPredictRequest")
}


def add_field(message, package, name, number, kind, oneof=None):
    field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
    if kind.endswith("*"):
        field.label = Field.LABEL_REPEATED
    if kind.endswith("?"):
        oneof = "_" + name
        field.proto3_optional = True
    kind = kind.rstrip("*?")
    scalar = getattr(Field, "TYPE_" + kind.upper(), None)
    if scalar is None:
        field.type, field.type_name = Field.TYPE_MESSAGE, kind if kind.startswith(".") else f".{package}.{kind}"
    else:
        field.type = scalar
    if oneof is not None:
        names = [declared.name for declared in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
        field.oneof_index = names.index(oneof) if oneof in names else len(names)


def classes(package, schema):
    """The message classes of a schema, by name."""
    file = descriptor_pb2.FileDescriptorProto(name=package + ".proto", package=package, syntax="proto3")
    file.dependency.append("google/api/httpbody.proto")
    for name, fields in schema.items():
        message = file.message_type.add(name=name)
        for field, parts in fields.items():
            add_field(message, package, field, *parts)
    pool = descriptor_pool.Default()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{package}.{name}") for name in schema)
    return {descriptor.name: message_factory.GetMessageClass(descriptor) for descriptor in found}


vllm = classes("vllm.grpc.engine", VLLM)
vertex = classes("google.cloud.aiplatform.v1beta1", VERTEX)


def frame(message, compressed=False):
    """A message as it stands in the body of a gRPC call."""
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return bytes([compressed]) + len(data).to_bytes(4, "big") + data


def generate_request(**fields):
    """A framed GenerateRequest."""
    return frame(vllm["GenerateRequest"](**fields))


def vertex_request(method, data, **fields):
    """A framed request of Vertex AI around a JSON document."""
    return frame(vertex[method + "Request"](http_body=HttpBody(data=data, **fields), endpoint="projects/p/endpoints/e"))
