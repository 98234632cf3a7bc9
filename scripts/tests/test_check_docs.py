"""What check-docs finds on a page that is wrong, and what it leaves alone."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
# The checks have no suffix; Python must not leave its cache beside them.
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("check_docs", str(ROOT / "scripts/check-docs"))
check_docs = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_docs", LOADER))
LOADER.exec_module(check_docs)

from markdown_page import Page  # noqa: E402


class CheckDocs(unittest.TestCase):
    def page(self, text, name="docs/page.md"):
        """A page with a text, as if it stood in the project under a name."""
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write(text)
            file.flush()
            page = Page(pathlib.Path(file.name))
        page.path, page.name = ROOT / name, name
        return page

    def messages(self, rule, *arguments):
        return [message for _, message in rule(*arguments)]

    def test_links(self):
        links = "[a](nowhere.md) [b](envoy.md) [c](envoy.md#no-such) [d](#a-page) [e](#b-page) [f](https://x.example/y)"
        page = self.page(f"# A page\n{links}\n", "docs/glossary.md")
        others = {"docs/glossary.md": page, "docs/envoy.md": Page(ROOT / "docs/envoy.md")}
        self.assertEqual(
            self.messages(check_docs.link_rules, page, others),
            [
                "nowhere.md is not there", "envoy.md has no heading for #no-such",
                "docs/glossary.md has no heading for #b-page",
            ],
        )

    def test_code_is_no_link(self):
        page = self.page("# A page\n`[a](nowhere.md)`\n```text\n[b](nowhere.md)\n```\n")
        self.assertEqual(self.messages(check_docs.link_rules, page, {}), [])

    def test_paths(self):
        page = self.page("# A page\n`Sources/martlet` `Sources/NoSuch` `Tests/<Target>Tests` `scripts/check-docs`\n")
        self.assertEqual(self.messages(check_docs.path_rules, page), ["Sources/NoSuch is not there"])

    def test_blocks(self):
        page = self.page("# A page\n```\na\n```\n```rust\n```\n```text\n$ martlet\n```\n```console\n$ martlet\n```\n")
        found = self.messages(check_docs.block_rules, page)
        self.assertEqual([message.partition(";")[0] for message in found], [
            "a block of no language", "a block of rust",
            "commands with their output belong into a block of console, where they are run",
        ])

    def test_swift_is_that_of_the_project(self):
        page = self.page("```swift\nimport GatewayCore\n```\n```swift\nstruct NoSuchScorer: Scorer {}\n```\n")
        self.assertEqual([line for line, _ in check_docs.source_rules(page)], [4])

    def test_tables(self):
        page = self.page("| a | b |\n|---|---|\n| 1 | 2 \\| 3 |\n| 1 |\n| 1 | `2 | 3` |\n\n| a |\n|---|\n| 1 |\n")
        self.assertEqual(self.messages(check_docs.table_rules, page), [
            "a row of 1 cells under a head of 2", "a row of 3 cells under a head of 2",
        ])

    def test_for_whom(self):
        self.assertEqual(len(self.messages(check_docs.audience_rules, self.page("# A page\n\nText.\n"))), 1)
        self.assertEqual(self.messages(check_docs.audience_rules, self.page("# A page\n\n*For those who read.*\n")), [])
        self.assertEqual(self.messages(check_docs.audience_rules, self.page("# A page\n", "CHANGELOG.md")), [])

    def test_a_directive_belongs_to_the_block_behind_it(self):
        page = self.page(
            '<!-- run: background until="a b" -->\n\n```sh\nx\n```\n<!-- file: f.yaml -->\ntext\n```yaml\n```\n'
        )
        first, second = page.blocks
        self.assertEqual((first.words, first.attributes), (["background"], {"until": "a b"}))
        self.assertIsNone(second.directive)

    def test_every_page_is_found(self):
        names = set(check_docs.pages())
        self.assertTrue({"README.md", "SECURITY.md", "docs/README.md", "deploy/envoy/README.md"} <= names)
        self.assertEqual(list(check_docs.findings()), [])


if __name__ == "__main__":
    unittest.main()
