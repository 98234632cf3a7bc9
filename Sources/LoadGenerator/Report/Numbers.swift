#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Double {
    /// The number with so many digits behind its point, rounded; `-` for one that is not finite.
    package func fixed(_ digits: Int) -> String {
        let scale = pow(10, Double(digits))
        guard isFinite, abs(self) * scale < 9e18 else { return "-" }
        let scaled = Int64((self * scale).rounded())
        let whole = scaled.magnitude / UInt64(scale)
        if digits == 0 { return (scaled < 0 ? "-" : "") + "\(whole)" }
        let rest = String(scaled.magnitude % UInt64(scale))
        let zeros = String(repeating: "0", count: digits - rest.count)
        return (scaled < 0 ? "-" : "") + "\(whole).\(zeros)\(rest)"
    }
}

extension String {
    /// The text filled up with spaces at its end.
    func padded(to length: Int) -> String {
        self + String(repeating: " ", count: max(0, length - count))
    }

    /// The text filled up with spaces at its start.
    func paddedInFront(to length: Int) -> String {
        String(repeating: " ", count: max(0, length - count)) + self
    }
}

/// What this process has used of its processors.
package enum ProcessorTime {
    /// Seconds of processor time since the process began, in the program and in the system for it.
    package static var seconds: Double {
        var usage = rusage()
        #if canImport(Glibc)
            guard getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        #else
            guard getrusage(RUSAGE_SELF, &usage) == 0 else { return 0 }
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
