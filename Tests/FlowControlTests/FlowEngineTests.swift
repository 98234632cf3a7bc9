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
        let result1 = fixture.free(0)
        #expect(result1 == [])
        let result2 = fixture.free(2)
        #expect(result2 == ["high", "plain"])
        let result3 = fixture.free(9)
        #expect(result3 == ["second", "low"])
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
        let result4 = fixture.free(3)
        #expect(result4 == ["odd", "min", "max"])
    }

    @Test("a band that may not go holds all below it back")
    func headOfLine() {
        var fixture = EngineFixture(usageLimit: FixedCeilings([10: 0.4, 0: 1]))
        fixture.come("high", priority: 10)
        fixture.come("plain")
        let result5 = fixture.free(5)
        #expect(result5 == [], "the pool is half full, and the highest may use it up to 0.4")
        #expect(
            fixture.engine.nextWake == fixture.now.advanced(by: .milliseconds(10)), "ceilings may change by themselves")
    }

    @Test("limits of requests and bytes of all bands together", arguments: [true, false])
    func limitsOfAll(isOfRequests: Bool) {
        var fixture = EngineFixture { settings in
            if isOfRequests { settings.maxRequests = 2 } else { settings.maxBytes = 29 }
        }
        fixture.come("a")
        fixture.come("b", priority: 10)
        let result6 = fixture.come("c", priority: -1)
        #expect(result6 == .refused(.rejectedCapacity))
        fixture.isPoolEmpty = true
        let result7 = fixture.come("d")
        #expect(result7 == .refused(.rejectedNoEndpoints))
        fixture.isPoolEmpty = false
        let result8 = fixture.free(1)
        #expect(result8 == ["b"])
        fixture.come("e")
        #expect(fixture.engine.waitingCount == 2)
    }

    @Test("those that went do not pile up behind one that waits")
    func nothingPilesUp() {
        var fixture = EngineFixture { $0.requestTTL = nil }
        fixture.come("batch", priority: -1)
        for number in 0..<1_000 {
            fixture.come("\(number)")
            _ = fixture.free(1)
        }
        #expect(fixture.engine.waitingCount == 1)
        #expect(fixture.engine.arrivals.count <= 66)
    }

    @Test("a band that is full refuses its own")
    func limitsOfABand() {
        var fixture = EngineFixture { $0.template.maxRequests = 1 }
        fixture.come("a")
        let result9 = fixture.come("b")
        #expect(result9 == .refused(.rejectedCapacity))
        fixture.come("c", priority: 10)
        var bytes = EngineFixture { $0.negativeTemplate.maxBytes = 15 }
        bytes.come("d", priority: -1)
        let result10 = bytes.come("e", priority: -1)
        #expect(result10 == .refused(.rejectedCapacity))
        let result11 = bytes.come("f", priority: -1, bytes: .max)
        #expect(result11 == .refused(.rejectedCapacity))
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
        let result12 = fixture.run()
        #expect(result12 == [])
        fixture.wait(.milliseconds(1_500))
        fixture.isPoolEmpty = true
        let result13 = fixture.run()
        #expect(result13 == [])
        fixture.wait(.seconds(4))
        fixture.come("b")
        let result14 = fixture.run()
        #expect(result14 == [], "the time without endpoints counts from when they went")
        fixture.wait(.seconds(1))
        let result15 = fixture.run()
        #expect(result15 == ["a EvictedNoEndpoints"])
        fixture.isPoolEmpty = false
        let result16 = fixture.run()
        #expect(result16 == [])
        #expect(fixture.engine.nextWake == fixture.now.advanced(by: .seconds(2)))
        fixture.wait(.seconds(2))
        let result17 = fixture.run()
        #expect(result17 == ["b EvictedTTL"])
    }

    @Test("no time to wait means for ever")
    func forEver() {
        var fixture = EngineFixture { settings in
            settings.requestTTL = nil
            settings.noEndpointTTL = nil
        }
        fixture.come("a")
        fixture.wait(.seconds(1_000_000))
        let result18 = fixture.run()
        #expect(result18 == [])
        #expect(fixture.engine.nextWake == nil)
        fixture.isPoolEmpty = true
        let result19 = fixture.run()
        #expect(result19 == [])
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
            let result20 = fixture.engine.cancel(id, at: fixture.now)
            #expect(result20)
            let result21 = fixture.engine.cancel(id, at: fixture.now)
            #expect(!result21, "only once")
        }
        #expect(fixture.engine.waitingCount == 30)
        #expect(fixture.engine.bytes == 300)
        let result22 = fixture.free(100)
        #expect(result22.count == 30)
        #expect(FlowStatistics(fixture.engine).requests == 0)
    }

    @Test("the end refuses all in the order in which they came, and whoever comes")
    func shutDown() {
        var fixture = EngineFixture()
        fixture.come("a", priority: -1)
        fixture.come("b", priority: 10)
        fixture.engine.shutDown()
        let result23 = fixture.come("c")
        #expect(result23 == .refused(.rejectedShuttingDown))
        let result24 = fixture.free(5)
        #expect(result24 == ["a EvictedOther", "b EvictedOther"])
    }

    @Test("whoever may go nowhere else lets others pass, in its flow too")
    func constraints() {
        var fixture = EngineFixture()
        let narrow = RequestConstraint(model: "adapter", subset: nil)
        fixture.come("narrow", priority: 10, constraint: narrow)
        fixture.come("wide", priority: 10)
        fixture.come("low", priority: -1)
        fixture.places = [.none: 5, narrow: 0]
        let result25 = fixture.run()
        #expect(result25 == ["wide", "low"])
        fixture.places = [.none: 1, narrow: 1]
        let result26 = fixture.run()
        #expect(result26 == ["narrow"])
    }

    @Test(
        "lower priorities have their share while higher ones wait",
        arguments: [(0.0, 0), (0.1, 10), (0.5, 50), (0.8, 80)])
    func trickle(share: Double, expected: Int) {
        var fixture = EngineFixture { $0.lowerPriorityShare = share }
        for index in 0..<200 {
            fixture.come("high \(index)", priority: 10)
            fixture.come("low \(index)", priority: -1)
        }
        var low = 0
        for _ in 0..<100 { low += fixture.free(1).count { $0.hasPrefix("low") } }
        #expect(abs(low - expected) <= 1, "\(low) of 100")
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
    }

    @Test("retry-after follows the rate at which the queue drains")
    func retryAfter() {
        var fixture = EngineFixture()
        let atFirst = fixture.engine.retryAfterSeconds(priority: 0, at: fixture.now)
        #expect(atFirst == 60, "nothing has drained yet")
        for index in 0..<100 {
            fixture.come("r\(index)")
            fixture.wait(.milliseconds(100))
            _ = fixture.free(1)
        }
        for index in 0..<49 { fixture.come("w\(index)") }
        let behindAll = fixture.engine.retryAfterSeconds(priority: 0, at: fixture.now)
        let beforeAll = fixture.engine.retryAfterSeconds(priority: 10, at: fixture.now)
        #expect((5...6).contains(behindAll))
        #expect(beforeAll == 1, "they go before those that wait")
    }
}
