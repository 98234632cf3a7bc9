"""The checks find what they are for, and leave alone what only looks like it."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
# The checks have no suffix; Python must not leave its cache beside them.
sys.dont_write_bytecode = True


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


import swift_source  # noqa: E402

house_rules, imports = load("check-house-rules"), load("check-imports")


class CheckCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        for module in (house_rules, imports, swift_source):
            original = module.ROOT
            module.ROOT = self.root
            self.addCleanup(setattr, module, "ROOT", original)

    def write(self, text, path="Sources/GatewayCore/File.swift"):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def messages(self, text, path="Sources/GatewayCore/File.swift"):
        return [f"{line}: {message}" for line, message in house_rules.findings_of(self.write(text, path))]

    def assert_finds(self, text, expected, path="Sources/GatewayCore/File.swift"):
        found = self.messages(text, path)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])


class SourceTests(CheckCase):
    def test_comments_and_strings_are_blank_and_positions_stay(self):
        text = (
            'let a = "try! \\(f("x }")) {" // Task {\n'
            '/* a /* b */ print( */ let b = #"\\"#\nlet `a {` = """\n }\n """\n'
        )
        source = swift_source.SwiftSource(self.write(text))
        self.assertEqual(len(source.code), len(text))
        for word in ("try!", "Task", "print", "{", "}"):
            self.assertNotIn(word, source.code)
        self.assertIn("let b =", source.code)
        self.assertEqual(source.line_of(text.index("let b")), 2)
        self.assertIn("Task {", source.comments[1])


class HouseRuleTests(CheckCase):
    def test_long_functions(self):
        body = "    x += 1\n" * 69
        self.assertEqual(self.messages(f"func a(\n) {{\n{body[: 11 * 67]}}}\n"), [])
        self.assert_finds(f"struct S {{\n  func a() {{\n{body}  }}\n}}\n", "2: a function of 71 lines")
        self.assert_finds(f"struct S {{\n  init(a: Int)\n  where A: B\n  {{\n{body}  }}\n}}\n", "2: a function of 73")

    def test_requirements_have_no_body(self):
        filler = "    func b() async throws -> [Int]\n" * 80
        self.assertEqual(self.messages(f"protocol P {{\n{filler}}}\n"), [])

    def test_tasks_need_an_owner(self):
        self.assert_finds("let t = Task { work() }\n", "1: an unstructured Task")
        self.assert_finds("let t = Task.detached(priority: .low) { work() }\n", "unstructured Task")
        self.assertEqual(self.messages("// Owner: the server; it cancels on stop.\nlet t = Task { work() }\n"), [])
        self.assertEqual(self.messages("func f(task: Task<Void, Never>) { task.cancel() }\n"), [])

    def test_streams_need_a_policy(self):
        self.assert_finds("let s = AsyncStream<Int> { _ in }\n", "bufferingPolicy")
        self.assert_finds("let s = AsyncStream.makeStream(of: Int.self)\n", "bufferingPolicy")
        bounded = "let s = AsyncStream(Int.self, bufferingPolicy: .bufferingOldest(1)) { _ in }\n"
        self.assertEqual(self.messages(bounded), [])
        self.assertEqual(self.messages("let s: AsyncStream<Int>\n"), [])

    def test_unchecked_needs_a_reason(self):
        self.assert_finds("final class C: @unchecked Sendable {}\n", "says why")
        self.assertEqual(self.messages("// Confined to its event loop.\nfinal class C: @unchecked Sendable {}\n"), [])

    def test_calls(self):
        self.assert_finds("let a = try! f()\n", "try!")
        self.assert_finds("func f() { fatalError() }\n", "fatalError")
        self.assertEqual(self.messages('func f() { fatalError("no such state") }\n'), [])
        self.assert_finds('func f() { print("x") }\n', "print")
        self.assertEqual(self.messages('func f() { print("x") }\n', "Sources/MartletCommands/File.swift"), [])

    def test_sleeps(self):
        sleep = "func f() async throws { try await Task.sleep(for: .seconds(1)) }\n"
        self.assert_finds(sleep, "sleep", "Tests/T/A.swift")
        self.assert_finds("time.sleep(1)\n", "sleep", "Tests/EndToEnd/test_a.py")
        self.assertEqual(self.messages("time.sleep(1)  # the poll interval\n", "Tests/EndToEnd/harness.py"), [])

    def test_names_open_ends_and_places(self):
        self.assert_finds("enum StringUtils {}\n", "name what it does")
        self.assert_finds("// TO" + "DO: later\n", "issue number")
        self.assertEqual(self.messages("// TO" + "DO(#12): later\n"), [])
        self.assert_finds('let path = "/ro' + 'ot/x"\n', "one machine")

    def test_documentation(self):
        self.assert_finds("public struct S {}\n", "no doc comment")
        self.assert_finds("package func f() {}\n", "no doc comment")
        self.assertEqual(self.messages("/// A thing.\n@frozen\npublic struct S {}\n"), [])
        self.assertEqual(self.messages("public import NIOCore\n"), [])
        self.assertEqual(self.messages("open = [:]\nlet package = Package()\n"), [])
        self.assert_finds("public private(set) var a = 1\n", "no doc comment")
        self.assert_finds("package static func f() {}\n", "no doc comment")

    def test_sizes(self):
        self.assert_finds("// " + "x" * 118 + "\n", "121 columns")
        self.assert_finds("// x\n" * 501, "501 lines")


class ImportTests(CheckCase):
    def findings(self, target, text, ours=frozenset(), products=frozenset()):
        self.write(text, f"Sources/{target}/File.swift")
        return list(imports.check_product_target(target, set(ours), set(products)))

    def test_what_the_table_forbids(self):
        found = self.findings("GatewayCore", "import Synchronization\npublic import NIOCore\n")
        self.assertEqual(found, ["Sources/GatewayCore/File.swift:2: GatewayCore may not import NIOCore"])
        self.assertIn("may not import Foundation", self.findings("ReverseProxy", "import Foundation\n")[0])
        self.assertIn("may not import", self.findings("RequestControl", "import FoundationEssentials\n")[0])
        self.assertIn("may not import", self.findings("Scheduling", "@testable import struct DataLayer.Thing\n")[0])

    def test_what_the_table_allows(self):
        text = "package import GatewayCore\n// import NIOCore\nlet a = \"\"\"\nimport NIOCore\n\"\"\"\n"
        self.assertEqual(self.findings("EngineClient", text, {"GatewayCore"}), [])

    def test_foundation_may_stand_in_for_its_essentials(self):
        essentials = "#if canImport(FoundationEssentials)\n    import FoundationEssentials\n"
        text = essentials + "#else\n    import Foundation\n#endif\n"
        self.assertEqual(self.findings("ReverseProxy", text), [])
        self.assertEqual(len(self.findings("Scheduling", text)), 2)

    def test_what_the_manifest_does_not_declare(self):
        self.assertIn("does not declare it", self.findings("EngineClient", "import GatewayCore\n")[0])

    def test_what_the_manifest_declares_for_nothing(self):
        found = self.findings("EngineClient", "import GatewayCore\n", {"GatewayCore"}, {"NIOCore"})
        self.assertEqual(len(found), 1)
        self.assertIn("declares NIOCore, and no file", found[0])

    def test_a_target_nobody_planned(self):
        self.assertIn("not in the table", self.findings("Shed", "import GatewayCore\n")[0])


if __name__ == "__main__":
    unittest.main()
