import AllocationCount
import RequestControl
import Synchronization

extension PickerBenchmark {
    /// The most nanoseconds that the log of the last requests may take for one of them.
    private static let budget = 50.0

    /// Keeps the last summary that it is told of.
    private final class LastSummary: RequestObserver {
        let last = Mutex<RequestSummary?>(nil)

        func requestEnded(_ summary: RequestSummary) {
            last.withLock { $0 = summary }
        }
    }

    /// Measures a full log with the summaries of real requests.
    static func checkRequestLog() throws {
        let observer = LastSummary()
        let picker = try Picker(endpoints: 10, kilobytes: 1, keptDecisions: 0, observers: [observer])
        let summaries = (0..<64).compactMap { _ in
            picker.decide(1)
            return observer.last.withLock { $0 }
        }
        let log = RequestLog()
        let count = 100_000
        var spent: [Double] = []
        for round in 0..<8 {
            let start = martlet_thread_nanoseconds()
            for number in 0..<count { log.requestEnded(summaries[number % summaries.count]) }
            // The first round fills the log.
            if round > 0 { spent.append(Double(martlet_thread_nanoseconds() - start) / Double(count)) }
        }
        let sorted = spent.sorted()
        let median = sorted[sorted.count / 2]
        print("log of the last requests: \(median) [\(sorted[0])–\(sorted[sorted.count - 1])] ns a request")
        if median > budget { throw Failure() }
    }
}
