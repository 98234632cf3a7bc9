"""HTTP/2, in the clear and over TLS, from one configuration file."""

import asyncio
import base64
import json
import re
import ssl
import subprocess

import httpx
import pytest
from configurations import backend, endpoints, gateway_resource, pool, route, rule, write
from harness import chat, free_port
from raw_http import RawConnection, request_bytes


def self_signed(folder):
    """A certificate for localhost and its key, as PEM files."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True, stdin=subprocess.DEVNULL,
    )
    return certificate, key


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def ports():
    return {"http": free_port(), "https": free_port()}


@pytest.fixture(scope="module")
def gateway(shared, certificate, ports, tmp_path_factory):
    simulators = shared.simulators(2)
    path, key = certificate
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "localhost"},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": base64.b64encode(path.read_bytes()).decode(),
            "tls.key": base64.b64encode(key.read_bytes()).decode(),
        },
    }
    listeners = [
        {"name": "http", "protocol": "HTTP", "port": ports["http"]},
        {
            "name": "https", "protocol": "HTTPS", "port": ports["https"],
            "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "localhost"}]},
        },
    ]
    file = write(
        tmp_path_factory.mktemp("configuration") / "gateway.yaml",
        gateway_resource(listeners), secret, route("all", rule([backend("sims")])), pool("sims", "sim"),
        endpoints(simulators, "sim"),
    )
    return shared.gateway("--config", file, listen=False, port=ports["http"])


def url(ports, scheme):
    return f"{scheme}://localhost:{ports[scheme]}"


def client(certificate, http1, http2):
    return httpx.Client(http1=http1, http2=http2, verify=ssl.create_default_context(cafile=certificate[0]), timeout=20)


@pytest.mark.parametrize(
    ("scheme", "http1", "http2", "version"),
    [
        ("http", True, False, "HTTP/1.1"),
        ("http", False, True, "HTTP/2"),
        ("https", True, False, "HTTP/1.1"),
        ("https", True, True, "HTTP/2"),
    ],
    ids=["http/1.1", "h2c", "https/1.1", "h2"],
)
def test_httpx(gateway, certificate, ports, scheme, http1, http2, version):
    with client(certificate, http1, http2) as session:
        for _ in range(5):
            reply = session.post(url(ports, scheme) + "/v1/chat/completions", json=chat())
            assert reply.status_code == 200, reply.text
            assert reply.http_version == version
            assert reply.json()["choices"][0]["message"]["content"]
        with session.stream("POST", url(ports, scheme) + "/v1/chat/completions", json=chat(stream=True)) as stream:
            lines = [line for line in stream.iter_lines() if line]
        assert stream.status_code == 200
        assert lines[-1] == "data: [DONE]"
        refused = session.post(url(ports, scheme) + "/v1/chat/completions", content=b"not JSON")
        assert refused.status_code == 400 and refused.json()["error"]["message"]
        large = session.post(url(ports, scheme) + "/v1/chat/completions", json=chat(text="long " * 60_000))
        assert large.status_code in (200, 400), large.text


@pytest.mark.parametrize(
    ("scheme", "options", "version"),
    [
        ("http", ["--http2-prior-knowledge"], "2"),
        ("https", ["--http2"], "2"),
        ("https", ["--http1.1"], "1.1"),
    ],
)
def test_curl(gateway, certificate, ports, scheme, options, version):
    done = subprocess.run(
        [
            "curl", "--silent", "--show-error", "--max-time", "20", "--cacert", certificate[0], *options,
            "--json", json.dumps(chat()), "--write-out", "\n%{http_code} %{http_version}",
            url(ports, scheme) + "/v1/chat/completions",
        ],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )
    content, _, summary = done.stdout.rpartition("\n")
    assert summary == f"200 {version}", done
    assert json.loads(content)["choices"]


def test_many_streams_of_one_connection(gateway, certificate, ports):
    async def run():
        async with httpx.AsyncClient(http1=False, http2=True, timeout=30) as session:
            target = url(ports, "http") + "/v1/chat/completions"
            bodies = [chat(text=f"{number}", stream=number % 2 == 0) for number in range(60)]
            return await asyncio.gather(*(session.post(target, json=body) for body in bodies))

    replies = asyncio.run(run())
    assert {reply.status_code for reply in replies} == {200}
    assert all(reply.text.endswith("data: [DONE]\n\n") for reply in replies[::2])


def test_tls_refuses_what_is_not_tls(gateway, ports):
    with RawConnection(ports["https"]) as connection:
        connection.send(request_bytes(None, "/v1/models", "GET"))
        with pytest.raises((EOFError, ConnectionResetError, ValueError, IndexError)):
            reply = connection.read_reply("GET")
            assert reply.status == 400
            raise EOFError("a plain 400 is as good as a closed connection")
    with RawConnection(ports["http"]) as connection:
        assert connection.exchange(request_bytes(None, "/v1/models", "GET"), "GET").status == 200


def test_h2c_prefaces_cut_short_leave_the_listener_alone(gateway, ports):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for end in (4, 16, 20, len(preface)):
        with RawConnection(ports["http"]) as connection:
            connection.send(preface[:end])
    with RawConnection(ports["http"]) as connection:
        connection.send(preface + b"\xff" * 64)
        connection.finish_sending()
    with RawConnection(ports["http"]) as connection:
        assert connection.exchange(request_bytes(None, "/v1/models", "GET"), "GET").status == 200


def test_martlet_bench(gateway, certificate, ports, martlet):
    """The load generator speaks TLS, and only with whom it knows."""
    command = [martlet, "bench", url(ports, "https"), "--model", "sim-model", "--requests", "8", "--output-tokens", "2"]
    known = subprocess.run([*command, "--ca-file", certificate[0]], capture_output=True, text=True, timeout=60)
    assert known.returncode == 0, known.stderr
    assert re.search(r"Successful requests: +8\n", known.stdout)
    unknown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert unknown.returncode == 1 and "CERTIFICATE_VERIFY_FAILED" in unknown.stdout
    careless = subprocess.run([*command, "--insecure"], capture_output=True, text=True, timeout=60)
    assert careless.returncode == 0, careless.stderr
