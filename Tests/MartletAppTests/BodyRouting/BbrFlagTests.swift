import BodyBasedRouting
import Testing

@testable import MartletApp

@Suite("Flags of martlet bbr")
struct BbrFlagTests {
    private func read(_ words: [String]) throws -> (options: BbrOptions, warnings: [String]) {
        guard let result = try BbrOptions.read(words, environment: ["NAMESPACE": "serving"]) else {
            throw CommandError("help")
        }
        return result
    }

    private func refusal(_ words: [String]) -> String {
        do {
            _ = try read(words)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("the defaults are those of GAIE's router")
    func defaults() throws {
        let (options, warnings) = try read([])
        #expect(warnings.isEmpty)
        #expect(options.serving.grpcPort == 9004)
        #expect(options.serving.grpcHealthPort == 9005)
        #expect(options.serving.metricsPort == 9090)
        #expect(options.serving.isSecure && !options.isStreaming)
        #expect(options.plugins.isEmpty)
        #expect(options.namespace == "serving")
    }

    @Test("plugins keep their order, and their parameters may have colons and commas")
    func plugins() throws {
        let json = #"{"fieldName":"a:b","headerName":"x"}"#
        let (options, _) = try read(
            ["--streaming", "--plugin", "body-field-to-header:one:\(json)", "--plugin=base-model-to-header:two"]
        )
        #expect(options.isStreaming)
        #expect(options.plugins.map { $0.type } == ["body-field-to-header", "base-model-to-header"])
        #expect(options.plugins.map(\.name) == ["one", "two"])
    }

    @Test(
        "what is refused is named",
        arguments: [
            (["--plugin=a"], #"--plugin: "a" is not of the form "type:name""#), (["--plugin=:b"], #"":b""#),
            (["--plugin=a:"], #""a:""#), (["--plugin=a:b", "--plugin=c:b"], "'b' is used twice"),
            (["--grpc-port=9005"], "--grpc-health-port 9005 is the port of --grpc-port as well"),
            (["--metricsPort=9004"], "--metrics-port 9004 is the port of --grpc-port"),
            (["--pool-name=a"], "--pool-name is not a flag of martlet bbr"),
        ]
    )
    func refusals(words: [String], mention: String) {
        #expect(refusal(words).contains(mention))
    }

    @Test("free ports may be equal, and the spelling of old is understood")
    func freePorts() throws {
        let (options, warnings) = try read(["--grpcPort=0", "--grpcHealthPort=0", "--metricsPort=0"])
        #expect(options.serving.grpcPort == 0 && options.serving.grpcHealthPort == 0)
        #expect(warnings.count == 3)
    }

    @Test("the help mentions every flag")
    func help() throws {
        #expect(try BbrOptions.read(["-h"], environment: [:]) == nil)
        let lines = BbrOptions.flagSet.help.split(separator: "\n")
        for flag in BbrOptions.flagSet.flags {
            #expect(
                lines.contains { $0.hasPrefix("  --\(flag.name)") || $0.hasPrefix("  -\(flag.name), ") }, "\(flag.name)"
            )
        }
    }
}
