"""Real engines as processes, their metrics pages, and requests that keep them busy."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

from harness import Service, fetch, free_port
from harness import eventually as poll

MODEL = "tiny-llama"
ADAPTERS = ("lora-a", "lora-b")

# On two busy processors; nothing that works waits this long.
START_SECONDS = 300
HERE = pathlib.Path(__file__).resolve().parent

ENVIRONMENT = {
    # Nothing is loaded from anywhere, and nobody is told of it.
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # Gibibytes for the KV cache; the number of blocks below says how many are used.
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # One thread, on whichever processor is free.
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
}


def eventually(condition, what, within=60.0):
    """Polls seldom, as each page costs an engine's only thread for HTTP milliseconds."""
    return poll(condition, what, within, every=0.2)


def make_models(python, folder):
    """Writes the model and its adapters."""
    command = [python, HERE / "model_files.py", folder, MODEL, *ADAPTERS]
    subprocess.run([str(part) for part in command], check=True, timeout=120, stdin=subprocess.DEVNULL)


class Page:
    """A metrics page, read with nothing of the program under test."""

    SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?")
    LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            match = None if line.startswith("#") else self.SAMPLE.fullmatch(line)
            if match:
                name, labels, value = match.groups()
                self.samples.append((name, dict(self.LABEL.findall(labels or "")), float(value)))

    def series(self, name, **labels):
        """(labels, value) of the samples of a metric that have the labels."""
        return [
            (own, value) for sample, own, value in self.samples
            if sample == name and all(own.get(key) == wanted for key, wanted in labels.items())
        ]

    def sum(self, name, **labels):
        series = self.series(name, **labels)
        assert series, f"no {name} on the page"
        return sum(value for _, value in series)


class Engine(Service):
    """An engine in a process group of its own, as it may start processes itself.

    It leaves the processors to the gateway and the tests where they want them, so that what is measured is not late.
    """

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["nice", *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=os.environ | ENVIRONMENT, process_group=0,
            )

    def await_answers(self):
        """Waits until the engine calls itself healthy."""

        def healthy():
            assert self.process.poll() is None, f"{self.name} ended: {self.log()[-4000:]}"
            with contextlib.suppress(OSError):
                return fetch(self.url + "/health", timeout=2)[0] == 200

        eventually(healthy, f"health of {self.name}", START_SECONDS)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def address(self):
        return self.url.removeprefix("http://")

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def page(self):
        return Page(fetch(self.url + "/metrics", timeout=60)[2].decode())

    def requests(self):
        """How many requests the engine has, running or not."""
        figures = self.figures()
        return figures["running"] + figures["waiting"]


class VLLM(Engine):
    """vLLM on the CPU: four requests at once, one adapter at once, 640 blocks of 32 tokens."""

    SLOTS = 4

    def __init__(self, python, models, folder):
        port = free_port()
        command = [
            pathlib.Path(python).with_name("vllm"), "serve", models / MODEL, "--served-model-name", MODEL,
            "--host", "127.0.0.1", "--port", port, "--load-format", "dummy", "--dtype", "float32", "--enforce-eager",
            "--num-gpu-blocks-override", 640, "--block-size", 32, "--max-num-seqs", self.SLOTS,
            "--enable-prompt-tokens-details", "--disable-uvicorn-access-log",
            "--enable-lora", "--max-loras", 1, "--max-lora-rank", 8, "--lora-modules",
            *(f"{adapter}={models / adapter}" for adapter in ADAPTERS),
        ]
        super().__init__("vllm", command, folder)
        self.url = f"http://127.0.0.1:{port}"

    def await_answers(self):
        """Waits for a first answer, too: before it the page says nothing of adapters, not even how many fit."""
        super().await_answers()
        status, _, content = fetch(self.url + "/v1/completions", completion(max_tokens=1), timeout=START_SECONDS)
        assert status == 200, content
        eventually(lambda: self.page().series("vllm:lora_requests_info"), "figures of adapters")

    def figures(self):
        """What `/api/state` should say of this engine."""
        page = self.page()
        ((cache, _),) = page.series("vllm:cache_config_info")
        # Of the adapter sets on the page the latest counts; its value is a time.
        adapters, _ = max(page.series("vllm:lora_requests_info"), key=lambda entry: entry[1])
        return {
            "waiting": page.sum("vllm:num_requests_waiting"),
            "running": page.sum("vllm:num_requests_running"),
            "kv_cache_usage": page.sum("vllm:kv_cache_usage_perc"),
            "active_adapters": [name for name in adapters.get("running_lora_adapters", "").split(",") if name],
            "max_adapters": int(adapters.get("max_lora", 0)),
            "cache_block_size_tokens": int(cache["block_size"]),
            "cache_blocks": int(cache["num_gpu_blocks"]),
        }

    def answered(self):
        """How many requests of at most five tokens came to their end; those that keep an engine busy are longer."""
        return self.page().sum("vllm:request_generation_tokens_bucket", le="5.0")

    def load_adapter(self, name, folder):
        self._adapter("load", {"lora_name": name, "lora_path": str(folder)})

    def unload_adapter(self, name):
        self._adapter("unload", {"lora_name": name})

    def _adapter(self, verb, body):
        status, _, content = fetch(f"{self.url}/v1/{verb}_lora_adapter", body)
        assert status == 200, f"{verb}: {status} {content!r}"


class LlamaCpp(Engine):
    """llama.cpp's server, two requests at once."""

    SLOTS = 2

    def __init__(self, python, models, folder):
        super().__init__("llamacpp", [python, HERE / "llama_server.py", models / f"{MODEL}.gguf", MODEL], folder)

    def await_answers(self):
        self.url = self.await_line(r"ready on (http://127\.0\.0\.1:\d+)", "its address").group(1)
        super().await_answers()

    def figures(self):
        """What `/api/state` should say of this engine, which tells nothing of its cache."""
        page = self.page()
        return {
            "waiting": page.sum("llamacpp:requests_deferred"),
            "running": page.sum("llamacpp:requests_processing"),
            "kv_cache_usage": 0, "active_adapters": [], "max_adapters": 0,
            "cache_block_size_tokens": 0, "cache_blocks": 0,
        }


def completion(model=MODEL, prompt="The gateway sends a request", max_tokens=4, **more):
    """The body of a completion that goes on to its last token."""
    return {"model": model, "prompt": prompt, "max_tokens": max_tokens, "ignore_eos": True, **more}


class Running:
    """Requests that run until they are let go, which aborts those that are still there."""

    def __init__(self, port):
        self.port = port
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.abort()

    def begin(self, body, count=1):
        """Sends requests and reads the answers, each on a thread of its own, so that no engine waits for its client."""
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            connection.connect()
            self.connections.append(connection.sock)
            threading.Thread(target=self._read, args=(connection, body), daemon=True).start()
        return self

    @staticmethod
    def _read(connection, body):
        # The end of the connection is how an abort looks from here.
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
            reply = connection.getresponse()
            while reply.read1(65536):
                pass

    def abort(self):
        for connection in self.connections:
            with contextlib.suppress(OSError):
                # Wakes the reader, too.
                connection.shutdown(2)
            connection.close()
        self.connections = []
