"""The page about writing plugins shows the example package as it is."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "Examples/CustomPlugins"
SHOWN = ["Package.swift", "gateway.yaml", "Tests/CustomPluginsTests/ConformanceTests.swift"]


class WriteAPlugin(unittest.TestCase):
    def test_shows_the_sources_of_the_example(self):
        page = (ROOT / "docs/write-a-plugin.md").read_text()
        blocks = re.findall(r"^```(?:swift|yaml)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        files = [EXAMPLE / name for name in SHOWN] + sorted((EXAMPLE / "Sources").rglob("*.swift"))
        self.assertEqual(sorted(blocks), sorted(file.read_text() for file in files))

    def test_the_article_of_the_reference_shows_them_too(self):
        page = (ROOT / "Sources/GatewayCore/GatewayCore.docc/WriteAPlugin.md").read_text()
        blocks = re.findall(r"^```swift\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        files = [*EXAMPLE.glob("Sources/**/*.swift"), EXAMPLE / "Tests/CustomPluginsTests/ConformanceTests.swift"]
        self.assertEqual(sorted(blocks), sorted(file.read_text() for file in files))

    def test_the_plugins_stay_short(self):
        lines = sum(len(file.read_text().splitlines()) for file in (EXAMPLE / "Sources/CustomPlugins").glob("*"))
        self.assertLess(lines, 150)


if __name__ == "__main__":
    unittest.main()
