import GatewayCore

extension ParameterDecoder {
    /// `maxNumOfEndpoints`: how many endpoints a picker names, best first, so that an attempt can fall back to the
    /// next. At least 1; smaller values mean 1, as they always did in this file format.
    func maxEndpoints() -> Int {
        let count = int("maxNumOfEndpoints", default: 1)
        if count < 1 { warn("\(count) means 1", at: "maxNumOfEndpoints") }
        return max(1, count)
    }
}

extension RandomSource {
    /// `count` of the numbers 0 ..< `bound`, each at most once, in random order. The first steps of a Fisher-Yates
    /// shuffle.
    mutating func sample(_ count: Int, below bound: Int) -> [Int] {
        if count == 1 { return [Int.random(in: 0..<bound, using: &self)] }
        var numbers = Array(0..<bound)
        let count = min(count, bound)
        for index in 0..<count {
            numbers.swapAt(index, Int.random(in: index..<bound, using: &self))
        }
        numbers.removeSubrange(count...)
        return numbers
    }
}
