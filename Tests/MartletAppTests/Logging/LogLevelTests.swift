import Foundation
import GatewayCore
import Logging
import NIOHTTP1
import Telemetry
import Testing

@testable import MartletApp

@Suite struct LogLevelTests {
    @Test func loggersThatWereCopiedBeforeFollow() throws {
        let log = try LogFile()
        let copy = log.logs.logger()
        var own = log.logs.logger()
        own.logLevel = .error
        #expect(copy.logLevel == .info)
        log.logs.levels.setBase(.debug)
        #expect(copy.logLevel == .debug && own.logLevel == .error)
    }

    @Test func aBeginningOfLabelsHasALevelOfItsOwn() {
        let levels = LogLevels(.info)
        let cells = ["martlet", "martlet.kubernetes", "martlet.kubernetes.leases", "martlet.kubernetesque"].map(
            levels.cell)
        #expect(levels.set(.debug, labelsFrom: "martlet.kubernetes"))
        #expect(cells.map(\.level) == [.info, .debug, .debug, .info])
        #expect(levels.set(.error, labelsFrom: "martlet.kubernetes.leases"))
        #expect(cells.map(\.level) == [.info, .debug, .error, .info])
        levels.setBase(.warning)
        #expect(cells.map(\.level) == [.warning, .debug, .error, .warning])
        #expect(levels.cell("martlet.kubernetes.new").level == .debug)
        #expect(levels.set(nil, labelsFrom: "martlet.kubernetes"))
        #expect(cells.map(\.level) == [.warning, .warning, .error, .warning])
        #expect(!levels.set(.debug, labelsFrom: "nobody") && !levels.set(.debug, labelsFrom: "martlet.kube"))
        #expect(levels.standing.exceptions == ["martlet.kubernetes.leases": .error])
    }

    @Test func stepsEndWithTheLevels() {
        let levels = LogLevels(.info)
        let cell = levels.cell("martlet")
        #expect((0..<3).map { _ in levels.step(isMore: true) } == [.debug, .trace, .trace])
        #expect(cell.level == .trace)
        #expect((0..<8).map { _ in levels.step(isMore: false) }.last == .critical)
        #expect(cell.level == .critical)
    }

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func answer(_ area: LogLevelArea, _ method: HTTPMethod, _ body: String = "") throws -> (UInt, String) {
        let request = AdminRequest(method: method, path: LogLevelArea.path, body: Array(body.utf8))
        let response = try #require(area.answer(request))
        return (response.status.code, String(decoding: response.body, as: UTF8.self))
    }

    @Test func theAreaTellsAndSets() throws {
        let levels = LogLevels(.info)
        let cell = levels.cell("martlet.kubernetes")
        let area = LogLevelArea(levels: levels, logger: logger)
        let told = try answer(area, .GET)
        #expect(told.0 == 200 && told.1 == #"{"level":"info","labels":{},"loggers":["martlet.kubernetes"]}"#)
        #expect(try answer(area, .PUT, #"{"level":"debug","label":null}"#).0 == 200)
        #expect(cell.level == .debug)
        let set = try answer(area, .PUT, #"{"level":"trace","label":"martlet.kubernetes"}"#)
        #expect(set.1.contains(#""labels":{"martlet.kubernetes":"trace"}"#) && cell.level == .trace)
        #expect(try answer(area, .PUT, #"{"level":null,"label":"martlet.kubernetes"}"#).0 == 200)
        #expect(cell.level == .debug)
    }

    @Test(
        arguments: [
            ("", 400), ("[]", 400), (#"{"level":7}"#, 400), (#"{"level":"loud"}"#, 400), ("{}", 400),
            (#"{"level":"debug","label":"nobody"}"#, 404),
        ] as [(String, UInt)]
    )
    func theAreaRefuses(body: String, status: UInt) throws {
        let levels = LogLevels(.info)
        #expect(try answer(LogLevelArea(levels: levels, logger: logger), .PUT, body).0 == status)
        #expect(levels.standing.base == .info)
    }

    @Test func onlyWhoMayActMaySet() throws {
        let area = LogLevelArea(levels: LogLevels(.info), logger: logger)
        #expect(!area.acts(AdminRequest(method: .GET, path: LogLevelArea.path)))
        #expect(area.acts(AdminRequest(method: .PUT, path: LogLevelArea.path)))
        #expect(!area.acts(AdminRequest(method: .PUT, path: "/api/state")))
        #expect(area.answer(AdminRequest(method: .PUT, path: "/api/state")) == nil)
        #expect(try answer(area, .DELETE).0 == 405)
    }

    @Test func whatTheOptionsMean() throws {
        var options = LogOptions()
        #expect(options.style(isTerminal: false, environment: [:]) == .text(isColoured: false))
        #expect(options.style(isTerminal: true, environment: [:]) == .text(isColoured: true))
        #expect(options.style(isTerminal: true, environment: ["NO_COLOR": "1"]) == .text(isColoured: false))
        #expect(options.style(isTerminal: true, environment: ["TERM": "dumb"]) == .text(isColoured: false))
        options.formatForMachines = .json
        #expect(options.style(isTerminal: false, environment: [:]) == .json)
        #expect(options.style(isTerminal: true, environment: [:]) == .text(isColoured: true))
        options.format = .json
        #expect(options.style(isTerminal: true, environment: [:]) == .json)
        try options.setAccessLog("text", format: "")
        #expect(options.accessLog == .standardError && options.accessLogFormat == .text)
        try options.setAccessLog("/a/b", format: "text")
        #expect(options.accessLog == .file(path: "/a/b") && options.accessLogFormat == .text)
        #expect(throws: CommandError.self) { try options.setAccessLog("jsn", format: "") }
        #expect(throws: CommandError.self) { try options.setAccessLog("json", format: "text") }
        #expect(throws: CommandError.self) { try options.setAccessLog("off", format: "text") }
        #expect(throws: CommandError.self) { try options.setAccessLog("/a", format: "auto") }
        #expect(throws: CommandError.self) { _ = try LogOptions.format("xml") }
        #expect(throws: CommandError.self) { _ = try LogOptions.level("loud") }
    }
}
