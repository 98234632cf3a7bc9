import GatewayCore
import Testing

@testable import FlowControl

@Suite("Flow engine")
struct FlowEngineTests {
    @Test("higher priorities go first, and of one priority who came first")
    func orderOfPriorities() {
        var fixture = EngineFixture()
        for (name, priority) in [("low", -1), ("plain", 0), ("high", 10), ("second", 0)] {
            fixture.come(name, priority: priority)
            fixture.wait(.milliseconds(1))
        }
        #expect(fixture.free(0) == [])
        #expect(fixture.free(2) == ["high", "plain"])
        #expect(fixture.free(9) == ["second", "low"])
        #expect(fixture.engine.waitingCount == 0)
        #expect(fixture.engine.nextWake == nil)
    }

    @Test("a priority that nobody knows waits with 0")
    func unknownPriority() {
        var fixture = EngineFixture()
        fixture.come("odd", priority: 7)
        fixture.come("min", priority: Int(Int32.min))
        fixture.come("max", priority: Int(Int32.max))
        #expect(FlowStatistics(fixture.engine).bands.map(\.priority) == [10, 0, -1])
        #expect(FlowStatistics(fixture.engine).bands.map(\.requests) == [0, 3, 0])
        #expect(fixture.free(3) == ["odd", "min", "max"])
    }

    @Test("a band that may not go holds all below it back")
    func headOfLine() {
        var fixture = EngineFixture(usageLimit: FixedCeilings([10: 0.4, 0: 1]))
        fixture.come("high", priority: 10)
        fixture.come("plain")
        #expect(fixture.free(5) == [], "the pool is half full, and the highest may use it up to 0.4")
        #expect(
            fixture.engine.nextWake == fixture.now.advanced(by: .milliseconds(10)), "ceilings may change by themselves")
    }

    @Test(
        "limits of requests and bytes, of a band and of all",
        arguments: [
            (\FlowControlSettings.maxRequests as WritableKeyPath<FlowControlSettings, Int?>, 2),
            (\FlowControlSettings.maxBytes, 29),
        ] as [(WritableKeyPath<FlowControlSettings, Int?>, Int)]
    )
    func limitsOfAll(limit: WritableKeyPath<FlowControlSettings, Int?>, value: Int) {
        var fixture = EngineFixture { $0[keyPath: limit] = value }
        fixture.come("a")
        fixture.come("b", priority: 10)
        #expect(fixture.come("c", priority: -1) == .refused(.rejectedCapacity))
        fixture.isPoolEmpty = true
        #expect(fixture.come("d") == .refused(.rejectedNoEndpoints))
        fixture.isPoolEmpty = false
        #expect(fixture.free(1) == ["b"])
        fixture.come("e")
        #expect(fixture.engine.waitingCount == 2)
    }

    @Test("a band that is full refuses its own")
    func limitsOfABand() {
        var fixture = EngineFixture { $0.template.maxRequests = 1 }
        fixture.come("a")
        #expect(fixture.come("b") == .refused(.rejectedCapacity))
        fixture.come("c", priority: 10)
        var bytes = EngineFixture { $0.negativeTemplate.maxBytes = 15 }
        bytes.come("d", priority: -1)
        #expect(bytes.come("e", priority: -1) == .refused(.rejectedCapacity))
        #expect(bytes.come("f", priority: -1, bytes: .max) == .refused(.rejectedCapacity))
        bytes.come("g", bytes: 16)
        #expect(bytes.engine.bytes == 26)
    }

    @Test("time to wait: with endpoints, without, and anew when the one becomes the other")
    func timesToWait() {
        var fixture = EngineFixture { settings in
            settings.requestTTL = .seconds(2)
            settings.noEndpointTTL = .seconds(5)
        }
        fixture.come("a")
        #expect(fixture.run() == [])
        fixture.wait(.milliseconds(1_500))
        fixture.isPoolEmpty = true
        #expect(fixture.run() == [])
        fixture.wait(.seconds(4))
        fixture.come("b")
        #expect(fixture.run() == [], "the time without endpoints counts from when they went")
        fixture.wait(.seconds(1))
        #expect(fixture.run() == ["a EvictedNoEndpoints"])
        fixture.isPoolEmpty = false
        #expect(fixture.run() == [])
        #expect(fixture.engine.nextWake == fixture.now.advanced(by: .seconds(2)))
        fixture.wait(.seconds(2))
        #expect(fixture.run() == ["b EvictedTTL"])
    }

    @Test("no time to wait means for ever")
    func forEver() {
        var fixture = EngineFixture { settings in
            settings.requestTTL = nil
            settings.noEndpointTTL = nil
        }
        fixture.come("a")
        fixture.wait(.seconds(1_000_000))
        #expect(fixture.run() == [])
        #expect(fixture.engine.nextWake == nil)
        fixture.isPoolEmpty = true
        #expect(fixture.run() == [])
    }

    @Test("who leaves from the front, the middle or the end leaves no trace")
    func cancellations() throws {
        var fixture = EngineFixture()
        var ids: [WaitingID] = []
        for index in 0..<300 {
            guard case .waits(let id) = fixture.come("r\(index)", flow: "f\(index % 3)") else { continue }
            ids.append(id)
        }
        for (index, id) in ids.enumerated() where index % 10 != 7 {
            #expect(fixture.engine.cancel(id, at: fixture.now))
            #expect(!fixture.engine.cancel(id, at: fixture.now), "only once")
        }
        #expect(fixture.engine.waitingCount == 30)
        #expect(fixture.engine.bytes == 300)
        #expect(fixture.free(100).count == 30)
        #expect(FlowStatistics(fixture.engine).requests == 0)
    }

    @Test("the end refuses all in the order in which they came, and whoever comes")
    func shutDown() {
        var fixture = EngineFixture()
        fixture.come("a", priority: -1)
        fixture.come("b", priority: 10)
        fixture.engine.shutDown()
        #expect(fixture.come("c") == .refused(.rejectedShuttingDown))
        #expect(fixture.free(5) == ["a EvictedOther", "b EvictedOther"])
    }

    @Test("whoever may go nowhere else lets others pass, in its flow too")
    func constraints() {
        var fixture = EngineFixture()
        let narrow = RequestConstraint(model: "adapter", subset: nil)
        fixture.come("narrow", priority: 10, constraint: narrow)
        fixture.come("wide", priority: 10)
        fixture.come("low", priority: -1)
        fixture.places = [.none: 5, narrow: 0]
        #expect(fixture.run() == ["wide", "low"])
        fixture.places = [.none: 1, narrow: 1]
        #expect(fixture.run() == ["narrow"])
    }

    @Test("lower priorities have their share while higher ones wait", arguments: [(0.0, 0), (0.1, 9), (0.5, 50)])
    func trickle(share: Double, expected: Int) {
        var fixture = EngineFixture { $0.lowerPriorityShare = share }
        for index in 0..<200 {
            fixture.come("high \(index)", priority: 10)
            fixture.come("low \(index)", priority: -1)
        }
        var low = 0
        for _ in 0..<100 { low += fixture.free(1).count { $0.hasPrefix("low") } }
        #expect(abs(low - expected) <= 17, "\(low) of 100")
        #expect((low == 0) == (share == 0))
    }

    @Test("as many flows as may be are told apart, and forgotten when they are idle")
    func manyFlows() {
        var fixture = EngineFixture { settings in
            settings.maxFlows = 100
            settings.template.maxRequests = 1_000_000
        }
        for index in 0..<100_000 { fixture.come("r", flow: "f\(index)") }
        let band = FlowStatistics(fixture.engine).bands[1]
        #expect(band.flows.count == 100)
        #expect(band.flows.filter { $0.fairnessID == "other" }.map(\.waiting) == [99_901])
        #expect(fixture.engine.bands[fixture.engine.order[1]]?.foldedRequests == 99_901)
    }

    @Test("retry-after follows the rate at which the queue drains")
    func retryAfter() {
        var fixture = EngineFixture()
        #expect(fixture.engine.retryAfterSeconds(priority: 0, at: fixture.now) == 60, "nothing has drained yet")
        for index in 0..<100 {
            fixture.come("r\(index)")
            fixture.wait(.milliseconds(100))
            _ = fixture.free(1)
        }
        for index in 0..<49 { fixture.come("w\(index)") }
        #expect((5...6).contains(fixture.engine.retryAfterSeconds(priority: 0, at: fixture.now)))
        #expect(fixture.engine.retryAfterSeconds(priority: 10, at: fixture.now) == 1, "they go before those that wait")
    }
}
