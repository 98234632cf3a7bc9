import FoundationEssentials
import Testing

@testable import KubernetesClient

@Suite("Retry-After")
struct RetryAfterTests {
    private let now = Date(timeIntervalSince1970: 1_700_000_000)

    @Test(
        "Seconds, within bounds",
        arguments: [
            ("0", Duration.zero), ("1", .seconds(1)), ("3600", .seconds(3600)), ("3601", .seconds(3600)),
            ("99999999999999999999999", .seconds(3600)), ("-1", nil), ("1.5", nil), ("", nil), (" ", nil), ("+1", nil),
            ("٣", nil),
        ])
    func seconds(value: String, expected: Duration?) {
        #expect(RetryAfter.delay(value, now: now) == expected)
    }

    @Test("Dates, which may be over")
    func dates() {
        #expect(RetryAfter.delay("Tue, 14 Nov 2023 22:13:30 GMT", now: now) == .seconds(10))
        #expect(RetryAfter.delay("Tue, 14 Nov 2023 22:13:10 GMT", now: now) == .zero)
        #expect(RetryAfter.delay("Fri, 14 Nov 2053 22:13:10 GMT", now: now) == .seconds(3600))
    }

    @Test(
        "The calendar",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ])
    func calendar(text: String, seconds: Double) {
        #expect(RetryAfter.date(text)?.timeIntervalSince1970 == seconds)
    }

    @Test(
        "What is no date",
        arguments: [
            "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 99999999999999 08:49:37 GMT", "",
        ])
    func noDate(text: String) {
        #expect(RetryAfter.date(text) == nil)
    }
}
