#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A line chart as inline SVG. Its colours are the page's, so that it follows light and dark.
struct Chart {
    /// One line.
    struct Line {
        let name: String
        let points: [(x: Double, y: Double)]
        /// Whether points get marks, for a few measured ones.
        var hasMarks = false
    }

    private static let size = (width: 640.0, height: 300.0)
    private static let plot = (left: 64.0, top: 14.0, right: 624.0, bottom: 256.0)

    let title: String
    let xTitle: String
    let yTitle: String
    let lines: [Line]
    /// Whether the x axis is logarithmic.
    var isLogarithmic = false

    /// The chart in a figure; empty when no line has two points.
    var html: String {
        let points = lines.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite && (!isLogarithmic || $0.x > 0) }
        guard points.count > 1, let low = points.map(\.x).min(), let high = points.map(\.x).max(), high > low else {
            return ""
        }
        let top = Self.ticks(0, points.map(\.y).max() ?? 1)
        let xs = isLogarithmic ? Self.logarithmicTicks(low, high) : Self.ticks(low, high)
        let range = isLogarithmic ? (low, high) : (low, max(high, xs.last ?? high))
        let scale = Scale(x: range, y: top.last ?? 1, isLogarithmic: isLogarithmic)
        var svg = "<figure><figcaption>\(title.escapedForHTML)\(legend)</figcaption>"
        svg += "<svg viewBox=\"0 0 \(Int(Self.size.width)) \(Int(Self.size.height))\" role=\"img\" aria-label=\""
        svg += "\(title.escapedForHTML)\">"
        for tick in top {
            let y = scale.y(tick).fixed(1)
            svg += "<line class=\"grid\" x1=\"\(Self.plot.left)\" x2=\"\(Self.plot.right)\" y1=\"\(y)\" y2=\"\(y)\"/>"
            svg += "<text class=\"tick\" x=\"\(Self.plot.left - 8)\" y=\"\(y)\" text-anchor=\"end\" dy=\"4\">"
            svg += "\(Self.shown(tick))</text>"
        }
        for tick in xs where tick >= range.0 && tick <= range.1 {
            let x = scale.x(tick).fixed(1)
            svg += "<text class=\"tick\" x=\"\(x)\" y=\"\(Self.plot.bottom + 18)\" text-anchor=\"middle\">"
            svg += "\(Self.shown(tick))</text>"
        }
        svg += "<text class=\"tick\" x=\"\(Self.plot.right)\" y=\"\(Self.size.height - 6)\" text-anchor=\"end\">"
        svg += "\(xTitle.escapedForHTML)</text>"
        svg += "<text class=\"tick\" x=\"4\" y=\"\(Self.plot.top - 2)\">\(yTitle.escapedForHTML)</text>"
        for (number, line) in lines.enumerated() { svg += drawn(line, number: number, scale) }
        return svg + "</svg></figure>"
    }

    private var legend: String {
        if lines.count < 2 { return "" }
        let entries = lines.enumerated().map { number, line in
            "<span class=\"key s\(number % 4)\">\(line.name.escapedForHTML)</span>"
        }
        return " " + entries.joined(separator: " ")
    }

    private func drawn(_ line: Line, number: Int, _ scale: Scale) -> String {
        // A second without a value is a gap, not a zero.
        var path = ""
        var begins = true
        var marks = ""
        for point in line.points {
            guard point.x.isFinite, point.y.isFinite, !isLogarithmic || point.x > 0 else {
                begins = true
                continue
            }
            let (x, y) = (scale.x(point.x).fixed(1), scale.y(point.y).fixed(1))
            path += "\(begins ? "M" : "L")\(x) \(y)"
            begins = false
            if line.hasMarks {
                let tip = "\(line.name): \(Self.shown(point.x)), \(Self.shown(point.y))"
                marks += "<circle class=\"s\(number % 4)\" cx=\"\(x)\" cy=\"\(y)\" r=\"4\">"
                marks += "<title>\(tip.escapedForHTML)</title></circle>"
            }
        }
        return "<path class=\"s\(number % 4)\" d=\"\(path)\"/>" + marks
    }

    private struct Scale {
        let x: (low: Double, high: Double)
        let y: Double
        let isLogarithmic: Bool

        func x(_ value: Double) -> Double {
            let share =
                isLogarithmic
                ? (log(value) - log(x.low)) / (log(x.high) - log(x.low)) : (value - x.low) / (x.high - x.low)
            return Chart.plot.left + share * (Chart.plot.right - Chart.plot.left)
        }

        func y(_ value: Double) -> Double {
            Chart.plot.bottom - (y > 0 ? value / y : 0) * (Chart.plot.bottom - Chart.plot.top)
        }
    }

    /// About five round numbers that cover a range, the last at its end or beyond.
    static func ticks(_ low: Double, _ high: Double) -> [Double] {
        let high = high > low ? high : low + 1
        let span = high - low
        let raw = span / 5
        let power = pow(10, floor(log10(raw)))
        let step = [1.0, 2, 5, 10].first { $0 * power >= raw * 0.999 }.map { $0 * power } ?? raw
        var tick = floor(low / step) * step
        var ticks = [tick]
        while tick < high - step * 1e-6 {
            tick += step
            ticks.append(tick)
        }
        return ticks
    }

    /// One, two and five times the powers of ten within a range.
    private static func logarithmicTicks(_ low: Double, _ high: Double) -> [Double] {
        var ticks: [Double] = []
        var power = pow(10, floor(log10(low)))
        while power <= high {
            ticks += [1, 2, 5].map { $0 * power }.filter { $0 >= low && $0 <= high }
            power *= 10
        }
        return ticks
    }

    private static func shown(_ value: Double) -> String {
        if value == 0 { return "0" }
        if abs(value) >= 1_000_000 { return (value / 1_000_000).fixed(1) + "M" }
        if abs(value) >= 10_000 { return (value / 1_000).fixed(0) + "k" }
        if abs(value) >= 10 || value == value.rounded() { return value.fixed(0) }
        return abs(value) >= 1 ? value.fixed(1) : value.fixed(abs(value) >= 0.1 ? 2 : 3)
    }
}

extension String {
    /// The text with the characters replaced that mean something in HTML.
    var escapedForHTML: String {
        var escaped = ""
        for character in self {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
