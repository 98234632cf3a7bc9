import DataLayer
import GatewayConfiguration
import GatewayCore
import GatewayTesting
import Logging
import NIOPosix
import RequestControl
import Testing

@testable import MartletApp

@Suite("File discovery")
struct FileDiscoveryTests {
    private let folder: TemporaryFolder
    private let control = MultiThreadedEventLoopGroup.singleton

    init() throws {
        folder = try TemporaryFolder()
    }

    private func list(_ names: String...) -> String {
        "endpoints:\n" + names.map { "- {name: \($0), address: 127.0.0.1, port: \"8000\"}\n" }.joined()
    }

    private func start(isWatched: Bool = true) throws -> (parts: GatewayParts, plan: EppPlan) {
        var options = EppOptions()
        options.poolNamespace = EppOptions.defaultNamespace
        options.pickerText = PickerText.discovering("\(folder.path)/endpoints.yaml", isWatched: isWatched)
        let plan = try EppPlan(options)
        let parts = try GatewayParts(
            options.settings,
            plan: try plan.make(),
            scraping: control,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        return (parts, plan)
    }

    private func reload(_ started: (parts: GatewayParts, plan: EppPlan)) async {
        await ConfigurationReloader(
            plan: started.plan.make,
            bind: { _ in },
            assembly: started.parts.assembly,
            controller: started.parts.controller,
            metrics: started.parts.applicationMetrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).reload()
    }

    private func names(_ parts: GatewayParts) -> [String] {
        parts.controller.state.pools[0].endpoints.current.endpoints.map(\.id.name).sorted()
    }

    @Test("the file fills the pool, and what vanishes from it leaves")
    func followsTheFile() async throws {
        try folder.write("endpoints.yaml", list("a", "b"))
        let started = try start()
        #expect(names(started.parts) == ["a", "b"])
        #expect(started.parts.readiness.isReady)
        #expect(started.parts.assembly.watchedFiles == ["\(folder.path)/endpoints.yaml"])
        #expect(Array(started.parts.discoveryFiles.keys) == started.parts.assembly.watchedFiles)
        try folder.write("endpoints.yaml", list("b", "c"))
        await reload(started)
        #expect(names(started.parts) == ["b", "c"])
    }

    @Test("a file that turns bad changes nothing")
    func badReload() async throws {
        try folder.write("endpoints.yaml", list("a"))
        let started = try start()
        for bad in [list("a", "a"), "endpoints: [{name: b}]", "endpoints: {", "", "other: []"] {
            try folder.write("endpoints.yaml", bad)
            await reload(started)
            #expect(names(started.parts) == ["a"])
        }
        try folder.write("endpoints.yaml", "endpoints: []")
        await reload(started)
        #expect(names(started.parts) == [])
    }

    @Test("a file that is bad at the start ends it with everything that is wrong")
    func badStart() throws {
        let text = """
            endpoints:
            - {name: a, address: not an address, port: 1}
            - {address: 10.0.0.1, port: "0"}
            - {name: c, address: 10.0.0.1, port: 8000, weight: 1}
            """
        let path = try folder.write("endpoints.yaml", text)
        let error = #expect(throws: ConfigurationError.self) { _ = try start() }
        let lines = error?.problems.map(\.description) ?? []
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { $0.hasPrefix("\(path):") })
    }

    @Test("a file that is not watched is read once")
    func unwatched() async throws {
        try folder.write("endpoints.yaml", list("a"))
        let started = try start(isWatched: false)
        #expect(started.parts.assembly.watchedFiles.isEmpty)
        try folder.write("endpoints.yaml", list("b"))
        await reload(started)
        #expect(names(started.parts) == ["a"])
    }

    @Test("a changed file is noticed")
    func watching() async throws {
        try folder.write("endpoints.yaml", list("a"))
        let clock = ManualClock()
        let path = "\(folder.path)/endpoints.yaml"
        let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .unbounded)
        let watcher = ConfigurationWatcher(
            paths: { [path] },
            initial: [path: ConfigurationWatcher.Fingerprint(path: path)],
            clock: clock
        ) {
            change.yield()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watcher.run() }
            try await clock.waitForSleepers(1)
            clock.advance(by: .milliseconds(500))
            try await clock.waitForSleepers(1)
            try folder.write("endpoints.yaml", list("a", "b"))
            clock.advance(by: .milliseconds(500))
            try await clock.waitForSleepers(1)
            change.finish()
            var count = 0
            for await _ in changes { count += 1 }
            #expect(count == 1)
            group.cancelAll()
        }
    }
}
