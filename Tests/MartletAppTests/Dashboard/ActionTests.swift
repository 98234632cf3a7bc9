import DataLayer
import Foundation
import GatewayCore
import GatewayTesting
import Logging
import NIOHTTP1
import RequestFormats
import Telemetry
import Testing

@testable import MartletApp

/// What changes something, and what a page of another site must not be able to do.
@Suite struct ActionTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func post(_ path: String, _ body: String, headers: [(String, String)] = []) -> AdminRequest {
        let fields = headers.map { HeaderMap.Field(name: $0.0, value: $0.1) }
        return AdminRequest(method: .POST, path: path, headers: HeaderMap(fields), body: Array(body.utf8))
    }

    private func text(_ response: AdminResponse?) -> String {
        "\(response?.status.code ?? 0) \(String(decoding: response?.body ?? [], as: UTF8.self))"
    }

    // MARK: Draining

    @Test func anEndpointIsDrainedAndComesBack() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        let routes = DrainRoutes(controller: gateway.controller, logger: logger)
        func drain(_ body: String) -> String { text(routes.answer(post(DrainRoutes.path, body))) }
        let out = drain(#"{"pool":"pool","namespace":"default","endpoint":"e1","draining":true}"#)
        #expect(out == #"200 {"draining":true}"#)
        #expect(gateway.store.current.available.map(\.id.name) == ["e0"])
        #expect(drain(#"{"pool":"pool","endpoint":"default/e1","draining":false}"#) == #"200 {"draining":false}"#)
        #expect(gateway.store.current.available.count == 2)
    }

    @Test func whatCannotBeDrained() throws {
        let gateway = try GatewayFixture(ports: [1])
        let routes = DrainRoutes(controller: gateway.controller, logger: logger)
        for (body, answer) in [
            (#"{"pool":"x","endpoint":"e0","draining":true}"#, "404 there is no pool 'default/x'\n"),
            (#"{"pool":"pool","endpoint":"e9","draining":true}"#, "404 the pool 'default/pool' has no endpoint 'e9'\n"),
            (#"{"pool":"pool","draining":true}"#, "400 the body needs 'endpoint'\n"),
            (#"{"pool":"pool","endpoint":"e0"}"#, "400 the body needs 'draining'\n"),
            (#"{"pool":"pool","endpoint":"e0","draining":1}"#, "400 'draining' must be true or false, not a number\n"),
            (#"{"pool":3,"endpoint":"e0","draining":true}"#, "400 'pool' must be a text, not a number\n"),
            ("[]", "400 the body must be a JSON object, not an array\n"),
            (#"{"pool":"a","pool":"b"}"#, "400 the body has 'pool' twice\n"),
        ] {
            #expect(text(routes.answer(post(DrainRoutes.path, body))) == answer)
        }
        #expect(text(routes.answer(post(DrainRoutes.path, "{"))).hasPrefix("400 "))
        #expect(routes.answer(AdminRequest(method: .GET, path: DrainRoutes.path))?.status == .methodNotAllowed)
        #expect(gateway.store.current.cordoned.isEmpty)
    }

    @Test func whoMayNotActTakesNoPlace() throws {
        let gateway = try GatewayFixture(ports: [1])
        var routes = AdminRoutes(registry: MetricRegistry(), readiness: Readiness())
        routes.areas = [DrainRoutes(controller: gateway.controller, logger: logger)]
        routes.token = try AdminToken(path: nil, environment: [AdminToken.variable: "0123456789abcdef"])
        #expect(!routes.takesBody(post(DrainRoutes.path, "")))
        let allowed = post(DrainRoutes.path, "", headers: [("authorization", "Bearer 0123456789abcdef")])
        #expect(routes.takesBody(allowed))
    }

    // MARK: Weights

    @Test func aWeightOfAFile() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "rewrite.yaml",
            "kind: InferenceModelRewrite\nmetadata: {name: a}\n"
                + "spec: {rules: [{targets: [{modelRewrite: b, weight: 1}]}]}\n"
        )
        let routes = WeightRoutes(configurationPath: path, logger: logger)
        func change(_ body: String) -> String { text(routes.answer(post(WeightRoutes.path, body))) }
        #expect(change(#"{"rewrite":"a","target":"b","weight":30}"#) == #"200 {"weight":30}"#)
        #expect(change(#"{"rewrite":"a","target":"b","weight":0}"#) == "409 the weight 0 is not from 1 to 1000000\n")
        #expect(change(#"{"rewrite":"a","target":"c","weight":1}"#).hasPrefix("404 "))
        #expect(change(#"{"rewrite":"x","target":"b","weight":1}"#).hasPrefix("404 "))
        #expect(change(#"{"rewrite":"a","target":"b","weight":"1"}"#).hasPrefix("400 "))
        #expect(change(#"{"rewrite":"a","target":"b"}"#) == "400 the body needs 'weight'\n")
        let without = WeightRoutes(configurationPath: nil, logger: logger)
        let answer = text(without.answer(post(WeightRoutes.path, #"{"rewrite":"a","target":"b","weight":1}"#)))
        #expect(answer.hasPrefix("409 weights are changed where they are written"))
    }

    @Test func changesAtOnceAreAllKept() async throws {
        let folder = try TemporaryFolder()
        let names = (0..<8).map { "target-\($0)" }
        let targets = names.map { "{modelRewrite: \($0), weight: 1}" }.joined(separator: ", ")
        let path = try folder.write(
            "rewrite.yaml",
            "kind: InferenceModelRewrite\nmetadata: {name: a}\nspec: {rules: [{targets: [\(targets)]}]}\n")
        let routes = WeightRoutes(configurationPath: path, logger: logger)
        for weight in 2...6 {
            let statuses = await withTaskGroup(of: UInt?.self, returning: [UInt?].self) { group in
                for name in names {
                    let request = post(WeightRoutes.path, #"{"rewrite":"a","target":"\#(name)","weight":\#(weight)}"#)
                    group.addTask { routes.answer(request)?.status.code }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.allSatisfy { $0 == 200 })
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.components(separatedBy: "weight: \(weight)}").count == names.count + 1, "\(text)")
        }
    }

    @Test func aFileIsReplacedInItsPlace() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", "old")
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        try FileReplacement.replace(path, with: "new and longer")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "new and longer")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o640)
        let parent = String(path.dropLast("/a.yaml".count))
        #expect(try FileManager.default.contentsOfDirectory(atPath: parent) == ["a.yaml"])
        let error = #expect(throws: CommandError.self) { try FileReplacement.replace(path + "x", with: "") }
        #expect(error?.description.contains("No such file") == true)
    }

    // MARK: The playground

    private func play(
        _ headers: [(String, String)],
        body: String = #"{"body":{}}"#,
        token: AdminToken? = nil
    ) -> (status: UInt, takesBody: Bool) {
        let routes = PlaygroundRoutes(listeners: { ["http://127.0.0.1:1"] }, token: token)
        let request = post(PlaygroundRoutes.path, body, headers: [("content-type", "application/json")] + headers)
        let response = routes.answer(request)
        return (response?.stream == nil ? response?.status.code ?? 0 : 200, routes.takesBody(request))
    }

    @Test("a page of another site is turned away before its body is read")
    func otherSites() {
        let fine: [[(String, String)]] = [
            [("host", "127.0.0.1:9090")],
            [("host", "localhost:9090"), ("origin", "http://localhost:9090")],
            [("host", "[::1]:9090"), ("origin", "http://[::1]:9090"), ("sec-fetch-site", "same-origin")],
            [("host", "10.0.0.7"), ("sec-fetch-site", "none")],
        ]
        for headers in fine { #expect(play(headers) == (200, true), "\(headers)") }
        let foreign: [[(String, String)]] = [
            [],
            [("host", "evil.example:9090")],
            [("host", "127.0.0.1.evil.example")],
            [("host", "127.0.0.1:9090"), ("origin", "http://evil.example")],
            [("host", "127.0.0.1:9090"), ("origin", "null")],
            [("host", "127.0.0.1:9090"), ("origin", "http://127.0.0.1:9091")],
            [("host", "127.0.0.1:9090"), ("sec-fetch-site", "cross-site")],
            [("host", "localhost:9090"), ("sec-fetch-site", "same-site")],
        ]
        for headers in foreign { #expect(play(headers) == (403, false), "\(headers)") }
    }

    @Test func byAnotherNameWithTheToken() throws {
        let token = try AdminToken(path: nil, environment: [AdminToken.variable: "0123456789abcdef"])
        let host = ("host", "martlet.example")
        #expect(play([host], token: token).status == 403)
        #expect(play([host, ("authorization", "Bearer 0123456789abcdef")], token: token).status == 200)
        #expect(play([host, ("authorization", "Bearer 0123456789abcdef")]).status == 403)
    }

    @Test func whatIsNoRequest() {
        let host = ("host", "localhost")
        for (body, status) in [
            ("{}", 400), (#"{"body":[]}"#, 400), (#"{"body":{},"path":"v1"}"#, 400),
            (#"{"body":{},"path":"/a b"}"#, 400), (#"{"body":{},"headers":{"content-length":"5"}}"#, 400),
            (#"{"body":{},"headers":{"a b":"5"}}"#, 400), (#"{"body":{},"headers":{"a":"b\nc"}}"#, 400),
            (#"{"body":{},"headers":{"a":5}}"#, 400), (#"{"body":{},"listener":"http://10.0.0.1:80"}"#, 404),
            (#"{"body":{},"headers":{"x-a":"5"},"listener":"http://127.0.0.1:1"}"#, 200),
        ] as [(String, UInt)] {
            #expect(play([host], body: body).status == status, "\(body)")
        }
        let routes = PlaygroundRoutes(listeners: { [] }, token: nil)
        let form = post(PlaygroundRoutes.path, "{}", headers: [host, ("content-type", "text/plain")])
        #expect(routes.answer(form)?.status == .unsupportedMediaType)
        #expect(routes.answer(AdminRequest(method: .GET, path: PlaygroundRoutes.path))?.status == .methodNotAllowed)
    }

    @Test func listenersAreReachedByAddress() throws {
        let any = try #require(PlaygroundCall.Listener(url: "http://0.0.0.0:8080"))
        #expect(any.address.description == "127.0.0.1:8080" && !any.isSecure)
        let six = try #require(PlaygroundCall.Listener(url: "https://[::]:8443"))
        #expect(six.address.description == "[::1]:8443" && six.isSecure)
        #expect(PlaygroundCall.Listener(url: "ftp://a:1") == nil)
    }
}
