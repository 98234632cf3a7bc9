import Testing

@testable import MartletApp

private struct SampleOptions: FlagOptions {
    var port = 80
    var name = "none"
    var isOn = false
    var isSafe = true
    var wait = Duration.seconds(30)
    var size = 4 << 20
    var limit: Int?
    var words = ["default"]
    var texts: [String] = []
    var verbosity = 2
}

private let sample = FlagSet<SampleOptions>(
    command: "sample",
    abstract: "For tests.",
    groups: [
        FlagGroup(
            title: "All",
            flags: [
                .integer("some-port", \.port, in: 0...65_535, "A port."), .text("name", \.name, "A name."),
                .boolean("on", \.isOn, "A switch."), .boolean("is-safe", \.isSafe, "Another."),
                .duration("wait", \.wait, in: .zero ... .seconds(3_600), "A time."),
                .bytes("size", \.size, "A size."), .bytes("limit", \.limit, "A limit."),
                .list("words", \.words, "Words."), .repeated("text", \.texts, "Texts."),
                .integer("v", \.verbosity, "Verbosity."),
                .withoutEffect("tracing", .boolean, default: "true", "Traces.", because: "there are none"),
                .refused("old-metric", .text, "A metric.", because: "write it elsewhere."),
                .text("older", \.name, "A name of old.", effect: .deprecated(instead: "write --name")),
            ]
        )
    ]
)

private func read(_ words: String...) throws -> FlagSet<SampleOptions>.Parsed {
    guard case .options(let parsed) = try sample.read(words) else { throw CommandError("help") }
    return parsed
}

/// The sentence that the words are refused with; empty when they are not.
private func refusal(_ words: [String]) -> String {
    do {
        _ = try sample.read(words)
        return ""
    } catch {
        return error.description
    }
}

@Suite("Flags")
struct FlagSetTests {
    @Test("a value stands behind a blank or an equals sign")
    func values() throws {
        #expect(try read("--some-port", "1").options.port == 1)
        #expect(try read("--some-port=2").options.port == 2)
        #expect(try read("--name=a=b").options.name == "a=b")
        #expect(try read("--name=").options.name == "")
        #expect(try read("--name", "--on").options.name == "--on")
        #expect(try read("--some-port=1", "--some-port=2").options.port == 2)
        #expect(try read().options.port == 80)
        #expect(try read("--").options.port == 80)
    }

    @Test(
        "truth values are those of Go",
        arguments: [
            ("1", true), ("t", true), ("T", true), ("true", true), ("TRUE", true), ("True", true), ("0", false),
            ("f", false), ("F", false), ("false", false), ("FALSE", false), ("False", false),
        ]
    )
    func booleans(text: String, value: Bool) throws {
        #expect(try read("--on=\(text)").options.isOn == value)
        #expect(try read("--is-safe=\(text)").options.isSafe == value)
    }

    @Test("a switch needs no value and never takes the next word")
    func switches() throws {
        let parsed = try read("--on", "--some-port", "1")
        #expect(parsed.options.isOn)
        #expect(parsed.given == ["on", "some-port"])
        #expect(refusal(["--on", "false"]).contains("write --flag=false"))
    }

    @Test("one letter", arguments: [["-v", "4"], ["-v4"], ["-v=4"], ["--v", "4"], ["--v=4"]])
    func shortFlags(words: [String]) throws {
        guard case .options(let parsed) = try sample.read(words) else { throw CommandError("help") }
        #expect(parsed.options.verbosity == 4)
        #expect(parsed.warnings.isEmpty)
        #expect(try read("-v", "-1").options.verbosity == -1)
    }

    @Test("durations and amounts")
    func durationsAndAmounts() throws {
        #expect(try read("--wait=1m30s").options.wait == .seconds(90))
        #expect(try read("--wait", "0").options.wait == .zero)
        #expect(try read("--size=10MiB").options.size == 10 << 20)
        #expect(try read("--size=25MB").options.size == 25_000_000)
        #expect(try read("--size=4096b").options.size == 4_096)
        #expect(try read("--size=1Ki").options.size == 1_024)
        #expect(try read("--size=").options.size == 4 << 20)
        #expect(try read("--limit=1k").options.limit == 1_000)
        #expect(try read("--limit=").options.limit == nil)
    }

    @Test("lists: commas and repetition, the first in place of the default")
    func lists() throws {
        #expect(try read().options.words == ["default"])
        #expect(try read("--words=a, b").options.words == ["a", "b"])
        #expect(try read("--words=a,b", "--words", "c").options.words == ["a", "b", "c"])
        #expect(try read("--words=").options.words == [])
        #expect(try read("--text=a,b", "--text=c").options.texts == ["a,b", "c"])
    }

    @Test("the spelling of old, with a warning", arguments: [["--somePort=1"], ["-somePort", "1"], ["-some-port=1"]])
    func oldSpelling(words: [String]) throws {
        guard case .options(let parsed) = try sample.read(words) else { throw CommandError("help") }
        #expect(parsed.options.port == 1)
        #expect(parsed.warnings.count == 1)
        #expect(parsed.warnings[0].hasSuffix("is deprecated: write --some-port."))
    }

    @Test("what has no effect is said, unless it is turned off")
    func withoutEffect() throws {
        #expect(try read("--tracing").warnings == ["--tracing has no effect: there are none."])
        #expect(try read("--tracing", "--tracing=1").warnings.count == 1)
        #expect(try read("--tracing=false").warnings.isEmpty)
        #expect(refusal(["--tracing=maybe"]) == "--tracing 'maybe' is neither true nor false.")
        let old = try read("--older", "a")
        #expect(old.options.name == "a")
        #expect(old.warnings == ["--older is deprecated: write --name."])
    }

    @Test(
        "what is refused is named",
        arguments: [
            (["--old-metric=x"], "--old-metric cannot be used: write it elsewhere."),
            (["--some-prot=1"], "--some-prot is not a flag of sample (did you mean --some-port?)."),
            (["--nothing-like-it"], "--nothing-like-it is not a flag of sample."),
            (["-x"], "-x is not a flag of sample."), (["word"], "'word' is not a flag, and sample takes nothing else."),
            (["--", "word"], "'word' is not a flag, and sample takes nothing else."),
            (["-"], "'-' is not a flag, and sample takes nothing else."), (["--name"], "--name needs a value."),
            (["-v"], "--v needs a value."), (["--some-port=x"], "--some-port 'x' is not a whole number."),
            (["--some-port=70000"], "--some-port '70000' is not from 0 to 65535."),
            (["--wait=5"], "--wait '5' is not a duration such as 50ms or 1m30s."),
            (["--wait=-1s"], "--wait '-1s' is below 0s."), (["--wait=2h"], "--wait '2h' is above 1h."),
            (["--size=x"], "--size 'x' is not an amount of bytes such as 4Mi or 10MiB."),
            (["--size=-1"], "--size '-1' is not above 0."),
            (["--size=16Ei"], "--size '16Ei' is not an amount of bytes such as 4Mi or 10MiB."),
        ]
    )
    func refusals(words: [String], sentence: String) {
        #expect(refusal(words) == sentence)
    }

    @Test("help is asked for anywhere", arguments: [["--help"], ["-h"], ["--on", "--help", "--nonsense"]])
    func help(words: [String]) throws {
        guard case .help = try sample.read(words) else {
            Issue.record("not help")
            return
        }
        let lines = sample.help.split(separator: "\n")
        #expect(lines.contains("  --some-port INT"))
        #expect(lines.contains("      A port. (default: 80)"))
        #expect(lines.contains("  -v, --v INT"))
        #expect(lines.contains("      A time. (default: 30s)"))
        #expect(lines.contains("      A size. (default: 4Mi)"))
        #expect(lines.contains("      Traces. No effect: there are none. (default: true)"))
        #expect(lines.contains("      A metric. Refused: write it elsewhere."))
        #expect(lines.allSatisfy { $0.count <= 100 })
    }
}
