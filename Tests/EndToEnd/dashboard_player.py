"""A gateway that only plays its dashboard's data: as many endpoints as wanted, every one changing with every tick.

What the page does with thousands of endpoints, with five minutes of ticks, and with a gateway that goes away must not
depend on how many engines a test machine can run.
"""

import http.server
import json
import math
import pathlib
import random
import threading
import urllib.parse

PAGE = pathlib.Path(__file__).resolve().parents[2] / "Sources/CDashboardPage/page"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
BEGAN = 1_764_200_000.0
HISTORY = (
    "requests", "in_flight", "waiting", "errors", "ttft_p50", "ttft_p99", "itl_p50", "itl_p99", "prompt_tokens",
    "output_tokens", "cache_hit", "decision_p50", "decision_p99", "cpu",
)
ADAPTERS = ("poet", "lawyer", "sql-expert")


class World:
    """The numbers: a day at a busy gateway, the same for the same seed."""

    def __init__(self, endpoints, seed=1):
        self.random = random.Random(seed)
        self.seconds = 0
        self.facts = [
            {
                "id": number, "pool": number % 3 // 2, "name": f"gpu-{number:04}", "namespace": "default",
                "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:8000",
                "labels": {"zone": "abc"[number % 3], "node": f"rack-{number // 8}"},
            }
            for number in range(endpoints)
        ]
        self.load = [self.random.random() for _ in self.facts]

    def hello(self):
        """The first event, with everything."""
        history = {"t": [BEGAN + self.seconds - 300 + second for second in range(300)]}
        samples = [self._globals(self.seconds - 300 + second) for second in range(300)]
        for name in HISTORY:
            history[name] = [self._sample(sample, name) for sample in samples]
        return {
            "version": "0.1", "started_at": BEGAN - 86_400, "interval_seconds": 1, "mode": "serve", "actions": True,
            "playground": True, "listeners": ["http://127.0.0.1:8080"],
            "pools": [
                {
                    "name": name, "namespace": "default", "models": models, "flow_control": True,
                    "rewrites": [
                        {
                            "name": "llama-rollout", "models": ["llama"], "sticky_header": "x-session",
                            "targets": [{"model": "llama-4", "weight": 90}, {"model": "llama-5", "weight": 10}],
                        }
                    ] if name == "llama" else [],
                }
                for name, models in (("llama", ["llama", "llama-4", "llama-5", "poet"]), ("qwen", ["qwen"]))
            ],
            "routes": [
                {
                    "listener": "8080", "host": "*", "path": "/v1", "path_kind": "prefix", "method": None,
                    "headers": [{"name": "x-model", "value": name}],
                    "backends": [{"pool": name, "namespace": "default", "weight": 1}],
                }
                for name in ("llama", "qwen")
            ],
            "endpoints": self.facts, "history": history, "tick": self._tick(whole=True),
        }

    def tick(self):
        """The next second, in which every endpoint changed."""
        self.seconds += 1
        return self._tick()

    def _globals(self, second):
        wave = math.sin(second / 47) + 0.4 * math.sin(second / 11) + 0.15 * math.sin(second / 2.3)
        busy = 1 + 0.25 * wave
        return {
            "requests": 412 * busy, "in_flight": int(1900 * busy), "waiting": max(0, int(140 * wave)),
            "errors": max(0.0, round(2 * wave - 1, 1)),
            "ttft": {"p50": 0.182 * busy, "p90": 0.4 * busy, "p99": 0.93 * busy * busy},
            "itl": {"p50": 0.0213 * busy, "p90": 0.03 * busy, "p99": 0.061 * busy},
            "duration": {"p50": 4.2 * busy, "p90": 8.0, "p99": 15.0}, "prompt_tokens": 310_000 * busy,
            "output_tokens": 61_000 * busy, "cache_hit": 0.62 + 0.08 * wave,
            "decision_us": {"p50": 61.0 * busy, "p99": 240.0 * busy}, "cpu": 0.41 * busy,
        }

    @staticmethod
    def _sample(sample, name):
        for group in ("ttft", "itl"):
            if name.startswith("decision_"):
                return sample["decision_us"][name.removeprefix("decision_")] / 1e6
            if name.startswith(group + "_"):
                return sample[group][name.removeprefix(group + "_")]
        return sample[name]

    def _tick(self, whole=False):
        second = self.seconds
        requests = 1_204_331 + 412 * second
        return {
            "t": BEGAN + second, "uptime": 86_400 + second, "draining": False, "ready": True, "obstacle": None,
            "global": self._globals(second), "totals": {"requests": requests, "errors": 1_804 + second // 3},
            "outcomes": {
                "completed": requests - 5_000, "saturated": 3_100 + second, "clientGone": 1_512, "upstreamFailed": 204,
            },
            "pools": [self._pool(number, second) for number in range(2)],
            "rows": self._rows(), "added": [], "removed": [],
            "adapters": {str(facts["id"]): [ADAPTERS[facts["id"] % 3]] for facts in self.facts} if whole else {},
            "ejections": {"5": {"reason": "connectFailed", "detail": "connection refused", "until": BEGAN + 60}}
            if whole and len(self.facts) > 5 else {},
        }

    def _pool(self, number, second):
        waiting = max(0, int(90 * math.sin(second / 47))) if number == 0 else 0
        flows = [{"fairness_id": f"tenant-{n}", "waiting": waiting // (n + 1), "running": 9 - n} for n in range(6)]
        return {
            "available": len([f for f in self.facts if f["pool"] == number]) - 1, "open_leases": 800,
            "saturation": 0.74 + 0.2 * math.sin(second / 47),
            "queue": {
                "requests": waiting, "bytes": waiting * 9_100, "max_requests": 5_000, "max_bytes": 1 << 30,
                "running": 880, "bands": [
                    {
                        "priority": priority, "requests": waiting // (1 + priority // 5), "bytes": waiting * 4_000,
                        "max_requests": 2_000, "flows": flows, "more_flows": 3,
                    }
                    for priority in (10, 0)
                ],
            },
            "targets": {"llama-rollout/llama-4": 9_020 + 9 * second, "llama-rollout/llama-5": 980 + second}
            if number == 0 else {},
        }

    def _rows(self):
        walk = self.random.gauss
        rows = {name: [] for name in ("id", "waiting", "running", "kv", "hit", "in_flight", "age", "state")}
        for number in range(len(self.facts)):
            load = self.load[number] = min(1.0, max(0.0, self.load[number] + walk(0, 0.03)))
            state = {5: 1, 6: 2, 7: 3, 8: 4}.get(number, 0)
            for name, value in (
                ("id", number), ("waiting", int(14 * load * load)), ("running", int(24 * load) + 1),
                ("kv", int(96 * load)), ("hit", int(90 * (1 - load) + 8)), ("in_flight", int(30 * load)),
                ("age", int(self.random.random() * 9)), ("state", state),
            ):
                rows[name].append(value)
        return rows

    def decision(self, request):
        """A decision over all endpoints, with what a filter removed."""
        names = [f"default/{facts['name']}" for facts in self.facts]
        scored = names[len(names) // 10:]
        queue, cache, prefix = (
            [round(self.random.random(), 4) for _ in scored] for _ in range(3)
        )
        totals = [2 * q + 2 * c + 3 * p for q, c, p in zip(queue, cache, prefix, strict=True)]
        pick = scored[totals.index(max(totals))]
        scorers = [
            {"stage": "scorer", "plugin": name, "microseconds": 9.5, "weight": weight, "scores": scores}
            for name, weight, scores in (
                ("queue-scorer", 2, queue), ("kv-cache-utilization-scorer", 2, cache),
                ("prefix-cache-scorer", 3, prefix),
            )
        ]
        return {
            "request_id": request, "attempt": 0, "age_seconds": 4.0, "microseconds": 212.4, "pool": "llama",
            "namespace": "default", "model": "llama", "target_model": "llama-4", "objective": "", "priority": 0,
            "fairness_id": "", "input_tokens": 812, "queue_seconds": 0.02, "tried": [], "picked": [pick],
            "endpoints": [
                {
                    "endpoint": name, "address": self.facts[place]["address"], "waiting": place % 7,
                    "running": place % 23, "kv_cache_usage": place % 90 / 100, "active_adapters": [],
                    "metrics_age_seconds": 0.04, "scrape_faults": [],
                }
                for place, name in enumerate(names)
            ],
            "steps": [],
            "profiles": [
                {
                    "profile": "default", "scored": scored, "totals": totals, "picked": [pick],
                    "steps": [
                        {
                            "stage": "filter", "plugin": "label-filter", "microseconds": 21.0,
                            "removed": names[:len(names) // 10], "rule": "zone in (b, c)",
                        },
                        *scorers, {"stage": "picker", "plugin": "max-score-picker", "microseconds": 3.1},
                    ],
                }
            ],
        }


class Player:
    """Serves the page and plays a world. `pace` is how many seconds go by between two ticks; it may be changed."""

    def __init__(self, world, pace=1.0):
        self.world, self.pace = world, pace
        # What the data paths answer instead, as a status and a sentence.
        self.refusal = None
        # The token that reading needs; None for none.
        self.token = None
        # How many ticks are played before a stream ends; None for no end.
        self.stop_after = None
        self.opened = self.readers = 0
        self._ending = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="dashboard player", daemon=True).start()

    def stop(self):
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(player):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                path = urllib.parse.urlsplit(self.path).path
                if path == "/" or path.startswith("/dashboard/"):
                    return self.page(path.removeprefix("/dashboard/").strip("/") or "index.html")
                if player.token is not None and self.headers.get("authorization") != f"Bearer {player.token}":
                    return self.answer(401, "text/plain", b"a token is needed")
                if player.refusal is not None:
                    return self.answer(player.refusal[0], "text/plain", player.refusal[1].encode())
                if path == "/api/live":
                    return self.play()
                if path == "/api/requests":
                    return self.json({"requests": [], "running": 0})
                if path.startswith("/api/decisions/"):
                    return self.json({"decisions": [player.world.decision(path.rpartition("/")[2])]})
                return self.answer(404, "text/plain", b"no such page")

            def page(self, name):
                file = PAGE / name
                if not file.is_file():
                    return self.answer(404, "text/plain", b"no such file")
                return self.answer(200, TYPES[file.suffix], file.read_bytes())

            def json(self, value):
                self.answer(200, "application/json", json.dumps(value).encode())

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("content-security-policy", POLICY)
                self.end_headers()
                self.wfile.write(body)

            def play(self):
                player.opened += 1
                player.readers += 1
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                played = 0
                try:
                    self.event("hello", player.world.hello())
                    while not player._ending.wait(player.pace):
                        if player.refusal is not None or played == player.stop_after:
                            break
                        self.event("tick", player.world.tick())
                        played += 1
                except OSError:
                    # The page went away.
                    pass
                finally:
                    player.readers -= 1
                self.close_connection = True

            def event(self, kind, value):
                text = json.dumps(value, separators=(",", ":"))
                self.wfile.write(f"event: {kind}\ndata: {text}\n\n".encode())
                self.wfile.flush()

        return Handler
