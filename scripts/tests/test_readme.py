"""The README claims no figure that the page about performance does not have, and names what CI leaves out."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Figures(unittest.TestCase):
    def test_are_those_of_the_measurements(self):
        readme = (ROOT / "README.md").read_text()
        claims = readme[readme.index("## Why this one") : readme.index("## Documents")]
        measured = (ROOT / "docs/performance.md").read_text()
        figures = re.findall(r"\b\d+\.\d+\b|\b\d+ MiB\b", claims)
        self.assertGreater(len(figures), 9)
        for figure in figures:
            self.assertRegex(measured, rf"(?<![\d.]){re.escape(figure)}(?!\d|\.\d)", figure)


class Targets(unittest.TestCase):
    def test_that_ci_leaves_out_are_named(self):
        makefile = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^((?:bench|soak|fuzz|simulate|test)(?:-[a-z-]+)?|pictures):", makefile, re.MULTILINE)
        # These are parts of `make test`.
        slow = set(targets) - {"test", "test-deploy", "test-docs"}
        self.assertLessEqual({"test-engines", "soak", "fuzz-extproc", "bench-serve", "simulate", "pictures"}, slow)
        named = re.findall(r"`(?:make )?([a-z-]+)`", (ROOT / "README.md").read_text())
        self.assertEqual(slow - set(named), set())
        self.assertIn("test", named)


if __name__ == "__main__":
    unittest.main()
