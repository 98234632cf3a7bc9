import GatewayCore
import Testing

@Suite struct DurationAndQuantityTests {
    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("50ms", .milliseconds(50)), ("1m30s", .seconds(90)),
        ("1h0m0s", .seconds(3_600)), ("1.5h", .seconds(5_400)), (".5s", .milliseconds(500)), ("1.s", .seconds(1)),
        ("-1.5s", .milliseconds(-1_500)), ("+5s", .seconds(5)), ("2us", .microseconds(2)), ("2µs", .microseconds(2)),
        ("2μs", .microseconds(2)), ("1ns", .nanoseconds(1)), ("1.0000000009s", .nanoseconds(1_000_000_000)),
        ("0.3333333333333333333h", .nanoseconds(1_199_999_999_999)), ("9223372036854775807ns", .nanoseconds(Int64.max)),
        ("0.100000000000000000000h", .seconds(360)), ("3s2s", .seconds(5)),
    ])
    func goDurations(text: String, expected: Duration) {
        #expect(GoDuration.parse(text) == expected)
    }

    @Test(arguments: [
        "", "s", "1", "-", "+", ".", ".s", "1 s", "1sec", "1s ", " 1s", "--1s", "1d", "9223372036854775808ns", "1e3s",
        "300000000h", "2562047h48m", "1s-1s", "\u{0661}s", "1,5s",
    ])
    func notGoDurations(text: String) {
        #expect(GoDuration.parse(text) == nil)
    }

    @Test(arguments: [
        (Duration.zero, "0s"), (.milliseconds(50), "50ms"), (.seconds(90), "1m30s"), (.seconds(3_600), "1h0m0s"),
        (.milliseconds(1_500), "1.5s"), (.microseconds(1_500), "1.5ms"), (.nanoseconds(1), "1ns"),
        (.nanoseconds(1_001), "1.001µs"), (.seconds(-90), "-1m30s"), (.nanoseconds(61_000_000_001), "1m1.000000001s"),
    ])
    func printsLikeGo(duration: Duration, expected: String) {
        #expect(GoDuration.format(duration) == expected)
    }

    @Test func printedDurationsReadBack() {
        var random = SplitMix(seed: 7)
        for _ in 0..<2_000 {
            // Shifting gives every magnitude the same chance, from nanoseconds to centuries.
            let nanoseconds = Int64(bitPattern: random.next()) >> Int64(random.next() % 63)
            guard nanoseconds != .min else { continue }
            let duration = Duration.nanoseconds(nanoseconds)
            #expect(GoDuration.parse(GoDuration.format(duration)) == duration)
        }
    }

    @Test(arguments: [
        ("0s", Duration.zero), ("10s", .seconds(10)), ("1h30m", .seconds(5_400)), ("500ms", .milliseconds(500)),
        ("99999h", .seconds(359_996_400)), ("1h1m1s1ms", .milliseconds(3_661_001)),
    ])
    func gatewayDurations(text: String, expected: Duration) {
        #expect(GoDuration.parseGatewayAPI(text) == expected)
    }

    @Test(arguments: ["", "0", "1.5s", "-1s", "100000s", "1us", "1s1s1s1s1s", "s", "1ss", "1h ", "1m30", "h1"])
    func notGatewayDurations(text: String) {
        #expect(GoDuration.parseGatewayAPI(text) == nil)
    }

    @Test(arguments: [
        ("0", Int64(0)), ("100", 100), ("1k", 1_000), ("500M", 500_000_000), ("1Gi", 1 << 30), ("1.5Gi", 3 << 29),
        ("2e3", 2_000), ("2E3", 2_000), ("1E", 1_000_000_000_000_000_000), ("-5", -5), ("+5", 5), ("100m", 1),
        ("1500m", 2), ("-1500m", -2), ("0.5", 1), (".5k", 500), ("5.", 5), ("7Ei", 7 << 60), ("1n", 1),
        ("1000000000n", 1),
        ("0e1000", 0), ("1e-9", 1), ("9223372036854775807", .max), ("1Ti", 1 << 40), ("0.0000000001", 1),
    ])
    func quantities(text: String, expected: Int64) {
        #expect(Quantity.parse(text) == expected)
    }

    @Test(arguments: [
        "", "k", "Gi", "1 Gi", "1gi", "1GB", "1KB", "1K", "--1", "1..2", "e3", "1e", "1e1.5", "8Ei", "1e19",
        "9223372036854775808", "1e-9223372036854775808", "1e9999999999999999999",
        "99999999999999999999999999999999999999999999", "0x10", "1_000", "1e1001",
    ])
    func notQuantities(text: String) {
        #expect(Quantity.parse(text) == nil)
    }
}

/// The random numbers of these tests (SplitMix64), for runs that repeat.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
