"""The dashboard in a real browser: what it shows, what it says in the console, where it sends requests, its frames."""

import json
import os
import pathlib
import re
import urllib.parse
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

CHECKS = pathlib.Path(__file__).with_name("page_checks.js").read_text().replace("export function", "function")
WIDE, PHONE = (1440, 900), (390, 844)
# Nothing that works waits so long, also where a debug build, its engines and a browser share two processors.
PATIENCE_MILLISECONDS = 20_000


class Browser:
    """A headless Chromium."""

    def __init__(self, program):
        self._playwright = sync_playwright().start()
        # Its sandbox refuses to be started by root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.chromium = self._playwright.chromium.launch(executable_path=program, args=arguments)

    def stop(self):
        self.chromium.close()
        self._playwright.stop()

    def open(self, url, size=WIDE, scheme="light", **options):
        """A page of its own, with nothing kept from others."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        return Dashboard(self.chromium, context, url)


class Dashboard:
    """The page of one gateway."""

    def __init__(self, chromium, context, url):
        self.chromium, self.context, self.url = chromium, context, url
        self.page = context.new_page()
        # What a page that works never has: messages of warning, errors, and requests to anybody else.
        self.complaints, self.strangers = [], []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._sent)
        self.devtools = context.new_cdp_session(self.page)
        self.page.goto(url + "/")

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _sent(self, request):
        if not request.url.startswith(self.url + "/") and not request.url.startswith("data:"):
            self.strangers.append(request.url)

    def close(self):
        self.context.close()

    def await_live(self):
        """Waits for the first tick."""
        self.page.wait_for_selector("html[data-phase=live]")
        return self

    def go(self, *parts):
        """Goes to a place of the page, and waits for its view."""
        place = "/".join(urllib.parse.quote(part, safe="") for part in parts)
        self.page.evaluate("place => { location.hash = place }", f"#/{place}")
        self.page.wait_for_selector(f"nav a[data-view={parts[0]}][aria-current=page]")
        self.page.wait_for_selector("main > .view")

    def text(self, selector):
        """The text of the first element."""
        return self.page.locator(selector).first.inner_text()

    def number(self, selector):
        """The first number in an element's text, which may have commas."""
        return int(re.search(r"\d[\d,]*", self.text(selector)).group().replace(",", ""))

    def await_true(self, expression, argument=None):
        """Waits until an expression of the page is true."""
        self.page.wait_for_function(expression, arg=argument)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self, expression="node => node.id || node.className || node.tagName"):
        """What has the focus."""
        return self.page.evaluate(f"({expression})(document.activeElement)")

    def check(self, name):
        """Runs a function of page_checks.js in the page."""
        return self.page.evaluate(f"() => {{ {CHECKS}\nreturn {name}(); }}")

    def nameless_controls(self):
        """What can have the focus and has no name, as the browser tells assistive programs."""
        findings = []
        for node in self.devtools.send("Accessibility.getFullAXTree")["nodes"]:
            properties = {entry["name"]: entry["value"].get("value") for entry in node.get("properties", [])}
            role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
            if properties.get("focusable") and role not in ("RootWebArea", "main") and not name.strip():
                findings.append(role)
        return findings

    def picture(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    @contextmanager
    def traced(self, path):
        """Records what the page does in the block; afterwards the given list has the script time of each frame."""
        frames = []
        categories = ["devtools.timeline", "toplevel", "__metadata"]
        self.chromium.start_tracing(page=self.page, path=path, categories=categories)
        yield frames
        self.chromium.stop_tracing()
        frames += script_per_frame(json.loads(pathlib.Path(path).read_text())["traceEvents"])

    def memory(self):
        """What the page holds, after the garbage is gone: bytes of the heap, nodes, listeners."""
        for _ in range(2):
            self.devtools.send("HeapProfiler.collectGarbage")
        self.devtools.send("Performance.enable")
        metrics = {entry["name"]: entry["value"] for entry in self.devtools.send("Performance.getMetrics")["metrics"]}
        return metrics["JSHeapUsedSize"], metrics["Nodes"], metrics["JSEventListeners"]


# What runs script: handlers, timers, drawing, and what follows a promise, as the pieces of the live feed do.
SCRIPT = {
    "FunctionCall", "EvaluateScript", "FireAnimationFrame", "TimerFire", "BlinkScheduler_PerformMicrotaskCheckpoint",
}


def script_per_frame(events):
    """Milliseconds of script between every two frames of a page's main thread, from a trace of the browser.

    Processor time of the thread, not of the clock: what else runs on the machine is not the page's.
    """
    calls = {}
    for event in events:
        if event.get("ph") == "X" and event["name"] in SCRIPT and "tdur" in event:
            calls.setdefault((event["pid"], event["tid"]), []).append(event)
    assert calls, "the trace has no script at all"
    thread = max(calls, key=lambda key: len(calls[key]))
    frames = sorted(
        event["ts"] for event in events
        if event["name"] == "AnimationFrame" and event["ph"] == "b" and event["pid"] == thread[0]
    )
    assert frames, "the trace has no frames"
    spent = [0.0] * (len(frames) + 1)
    end = -1
    at = 0
    for call in sorted(calls[thread], key=lambda event: (event["ts"], -event.get("dur", 0))):
        if call["ts"] < end:
            # Within the call before.
            continue
        end = call["ts"] + call.get("dur", 0)
        while at < len(frames) and frames[at] <= call["ts"]:
            at += 1
        spent[at] += call["tdur"] / 1000
    return [milliseconds for milliseconds in spent if milliseconds > 0]
