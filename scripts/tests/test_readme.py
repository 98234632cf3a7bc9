"""The README claims no figure that the page about performance does not have."""

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


if __name__ == "__main__":
    unittest.main()
