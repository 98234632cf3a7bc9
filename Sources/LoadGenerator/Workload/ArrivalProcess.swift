import GatewayCore

/// When the requests of an open loop come, whatever becomes of those before.
package struct ArrivalProcess: Hashable, Sendable {
    /// How arrivals are spaced.
    package enum Spacing: Hashable, Sendable {
        /// By equal times.
        case constant
        /// By gamma-distributed times of this shape: 1 is a Poisson process, less comes in bursts, more is smoother.
        case gamma(burstiness: Double)
    }

    /// Conversations per second, once the ramp is over; above 0.
    package let rate: Double
    /// How arrivals are spaced.
    package let spacing: Spacing
    /// How long the rate takes to grow evenly from 0, in seconds; 0 for no ramp.
    package let rampSeconds: Double

    /// Makes a process.
    package init(rate: Double, spacing: Spacing = .gamma(burstiness: 1), rampSeconds: Double = 0) {
        self.rate = rate
        self.spacing = spacing
        self.rampSeconds = rampSeconds
    }

    /// The arrivals in order. Equal seeds give equal times.
    struct Arrivals {
        private let process: ArrivalProcess
        private var random: RandomSource
        /// Arrivals at a rate of 1 that should have come.
        private var position = 0.0
        private var isFirst = true

        init(_ process: ArrivalProcess, seed: UInt64) {
            self.process = process
            random = .stream(seed: seed, 0, 0xA1)
        }

        /// The seconds from the start to the next arrival; the first comes at once.
        mutating func next() -> Double {
            if isFirst, process.rampSeconds == 0 {
                isFirst = false
                return 0
            }
            isFirst = false
            switch process.spacing {
            case .constant: position += 1
            case .gamma(1): position += random.exponential()
            case .gamma(let shape): position += random.gamma(shape: shape) / shape
            }
            return process.time(ofCumulative: position)
        }
    }

    /// When `count` arrivals are due, in seconds: the inverse of the integral of the rate over time.
    func time(ofCumulative count: Double) -> Double {
        let atRampEnd = rate * rampSeconds / 2
        if count < atRampEnd { return (2 * rampSeconds * count / rate).squareRoot() }
        return rampSeconds + (count - atRampEnd) / rate
    }
}
