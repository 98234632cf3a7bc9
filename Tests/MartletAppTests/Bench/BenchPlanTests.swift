import LoadGenerator
import Testing

@testable import MartletApp

struct BenchPlanTests {
    private func plan(_ change: (inout BenchOptions) -> Void) throws(CommandError) -> BenchPlan {
        var options = BenchOptions()
        options.apiKey = "key"
        change(&options)
        return try BenchPlan(options)
    }

    @Test func withoutOptionsEightUsersAskForHalfAMinute() throws {
        let load = try plan { _ in }.steps[0].load
        #expect(load.mode == .closed(users: 8, rampSeconds: 0))
        #expect(load.seconds == 30)
        #expect(load.conversations == nil)
    }

    @Test func aTargetHasAPathOfItsOwnOrThatOfTheAPI() throws {
        func url(_ text: String, _ api: Workload.API = .chat) throws -> String {
            try #require(
                try plan {
                    $0.target = text
                    $0.api = api
                }.targets.first
            ).url
        }
        #expect(try url("http://a:1") == "http://a:1/v1/chat/completions")
        #expect(try url("http://a:1/") == "http://a:1/v1/chat/completions")
        #expect(try url("https://a/v1", .completions) == "https://a/v1/completions")
        #expect(try url("https://a/x/v1/") == "https://a/x/v1/chat/completions")
        #expect(try url("label=http://a/own?q=1") == "http://a/own", "a query may have a secret")
        #expect(throws: CommandError.self) { try url("a:1") }
    }

    @Test func warmUpsComeOnTop() throws {
        let timed = try plan {
            $0.duration = "10s"
            $0.warmUp = "2s"
        }.steps[0].load
        #expect(timed.seconds == 12)
        #expect(timed.warmUp == .seconds(2))
        let counted = try plan {
            $0.requests = 10
            $0.warmUp = "4"
            $0.turns = 2
        }.steps[0].load
        #expect(counted.conversations == 7)
        #expect(counted.seconds == nil)
        let odd = try plan {
            $0.requests = 10
            $0.warmUp = "5"
            $0.turns = 2
        }.steps[0].load
        #expect(odd.warmUp == .conversations(3))
        #expect(odd.conversations == 8)
    }

    @Test func aSweepHasAStepForEachValue() throws {
        let steps = try plan { $0.sweep = "rate=1,2.5" }.steps
        #expect(steps.map(\.label) == ["rate=1", "rate=2.5"])
        #expect(steps[1].load.mode == .open(ArrivalProcess(rate: 2.5)))
        #expect(steps[1].load.firstConversation > steps[0].load.firstConversation)
    }

    @Test func arrivalsAreAsTheyWereAsked() throws {
        func spacing(_ change: (inout BenchOptions) -> Void) throws -> LoadPlan.Mode {
            try plan {
                $0.rate = 1
                change(&$0)
            }.steps[0].load.mode
        }
        #expect(try spacing { $0.arrival = .constant } == .open(ArrivalProcess(rate: 1, spacing: .constant)))
        #expect(
            try spacing { $0.burstiness = 0.5 } == .open(ArrivalProcess(rate: 1, spacing: .gamma(burstiness: 0.5))))
        #expect(
            try spacing { $0.ramp = "3s" } == .open(ArrivalProcess(rate: 1, rampSeconds: 3)))
    }

    @Test func whatMakesNoSenseIsRefusedWithItsValue() {
        let wrong: [(String, (inout BenchOptions) -> Void)] = [
            (
                "--rate and --concurrency",
                {
                    $0.rate = 1
                    $0.concurrency = 1
                }
            ),
            ("--rate 0.0", { $0.rate = 0 }),
            ("--concurrency 0", { $0.concurrency = 0 }),
            ("--arrival and --burstiness", { $0.burstiness = 2 }),
            (
                "--burstiness -1.0",
                {
                    $0.rate = 1
                    $0.burstiness = -1
                }
            ),
            ("--duration 'long'", { $0.duration = "long" }),
            ("--requests 0", { $0.requests = 0 }),
            ("--warmup '-1s'", { $0.warmUp = "-1s" }),
            ("--warmup 9223372036854775807", { $0.warmUp = "9223372036854775807" }),
            ("--timeout '2562047h'", { $0.timeout = "2562047h" }),
            ("--sweep 'users=1'", { $0.sweep = "users=1" }),
            ("'x' is no number", { $0.sweep = "rate=1,x" }),
            ("--prompt-tokens 'many'", { $0.promptTokens = "many" }),
            ("--prefix-groups and --prefix-tokens", { $0.prefixGroups = 2 }),
            ("--turns 0", { $0.turns = 0 }),
            ("--extra-body '[1]'", { $0.extraBody = "[1]" }),
            ("--header 'x'", { $0.headers = ["x"] }),
            ("--model '=2'", { $0.models = ["=2"] }),
            ("--slo 'fast'", { $0.objectivesOfLatency = "fast" }),
            ("--fail-if 'bad'", { $0.failIf = ["bad"] }),
            ("names nothing that is measured", { $0.failIf = ["p98_ttft>1s"] }),
            ("needs --compare", { $0.failIf = ["ratio:p99_ttft>1"] }),
            ("--compare needs two targets", { $0.compare = ["http://a"] }),
            (
                "--blocks 1",
                {
                    $0.compare = ["http://a", "http://b"]
                    $0.blocks = 1
                }
            ),
            (
                "--sweep does not go with",
                {
                    $0.compare = ["http://a", "http://b"]
                    $0.sweep = "rate=1"
                }
            ),
            ("--threads 0", { $0.threads = 0 }),
            ("--timeout '0s'", { $0.timeout = "0s" }),
            ("--trace 'gone.jsonl'", { $0.tracePath = "gone.jsonl" }),
        ]
        for (part, change) in wrong {
            do throws(CommandError) {
                _ = try plan(change)
                Issue.record("\(part) was not refused")
            } catch {
                #expect(error.description.contains(part), "\(error)")
            }
        }
    }

    @Test func modelsAreListedBesideTheAPI() throws {
        func path(_ text: String) throws -> String? { try plan { $0.target = text }.targets.first?.modelsPath }
        #expect(try path("http://a:1") == "/v1/models")
        #expect(try path("http://a/openai/v1") == "/openai/v1/models")
        #expect(try path("http://a/openai/v1/chat/completions") == "/openai/v1/models")
        #expect(try path("http://a/own?q=1") == "/v1/models")
    }

    @Test func aComparisonTakesNoTexts() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("trace.jsonl", #"{"prompt":"say","output_length":2}"#)
        do throws(CommandError) {
            _ = try plan {
                $0.compare = ["http://a", "http://b"]
                $0.tracePath = file
            }
            Issue.record("texts were taken")
        } catch {
            #expect(error.description.contains("has texts"), "\(error)")
        }
    }

    @Test func argumentsAreShownWithoutSecrets() {
        let shown = BenchOptions.shown([
            "bench", "http://a/v1?key=s3cret", "--api-key", "s3cret", "--api-key=s3cret", "--header",
            "x-api-key:s3cret",
            "--header=Cookie: s3cret", "--path", "/x?s3cret", "--compare", "b=http://b?s3cret", "c=http://c", "--rate",
            "2",
        ])
        #expect(
            shown == [
                "bench", "http://a/v1?…", "--api-key", "…", "--api-key=…", "--header", "x-api-key:…",
                "--header=Cookie:…", "--path", "/x?…", "--compare", "b=http://b?…", "c=http://c", "--rate", "2",
            ])
    }

    @Test func progressTellsHowFarALoadIs() throws {
        let load = try plan { $0.duration = "10s" }.steps[0].load
        let line = BenchProgress(load: load, turns: 1, place: "A (1/2)").line(
            RunMeasure(origin: 0), inFlight: 3, seconds: 5)
        #expect(line == "A (1/2) ████████████░░░░░░░░░░░░ 50 %  5 s  0 done  3 in flight  0.0 req/s  0 tok/s")
    }
}
