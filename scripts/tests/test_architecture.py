"""The page about the architecture has every target, and says of each whether it may use sockets."""

import importlib.machinery
import importlib.util
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
# The check has no suffix; Python must not leave its cache beside it.
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("check_imports", str(ROOT / "scripts/check-imports"))
SPEC = importlib.util.spec_from_loader("check_imports", LOADER)


class Architecture(unittest.TestCase):
    def test_targets_are_those_of_the_table(self):
        check_imports = importlib.util.module_from_spec(SPEC)
        LOADER.exec_module(check_imports)
        page = (ROOT / "docs/architecture.md").read_text()
        table = page[page.index("## Targets") : page.index("## What crosses")]
        shown = {}
        for line in re.findall(r"^\| (`.*) \|$", table, re.MULTILINE):
            names, _, sockets = line.split(" | ") if line.count(" | ") == 2 else [*line.rstrip("| ").split(" | "), ""]
            shown |= {name: sockets == "yes" for name in re.findall(r"`([\w-]+)`", names)}
        # What the table lets a target import of NIO is what makes it one with sockets.
        allowed = {
            name: any(product.startswith("NIO") or product == "AsyncHTTPClient" for product in products)
            for name, (_, products, _, _) in check_imports.TABLE.items()
        }
        self.maxDiff = None
        self.assertEqual(shown, allowed)


if __name__ == "__main__":
    unittest.main()
