import Logging
import Synchronization

/// The level of one logger's lines, which every copy of the logger looks at. Safe from any thread.
final class LogLevelCell: Sendable {
    private let position: Atomic<Int>

    init(_ level: Logger.Level) {
        position = Atomic(level.position)
    }

    /// The level now.
    var level: Logger.Level {
        get { Logger.Level.allCases[position.load(ordering: .relaxed)] }
        set { position.store(newValue.position, ordering: .relaxed) }
    }
}

/// Which lines are written: a level for the process, and others for loggers whose labels begin alike. Both may change
/// while the process runs, and loggers that were made before follow. Safe from any thread.
final class LogLevels: Sendable {
    /// What the levels are.
    struct Standing: Hashable, Sendable {
        /// The level of the process.
        var base: Logger.Level
        /// The levels of loggers, by the beginning of their label.
        var exceptions: [String: Logger.Level]
        /// The labels of all loggers.
        var labels: [String]
    }

    private struct State {
        var base: Logger.Level
        var exceptions: [String: Logger.Level] = [:]
        var cells: [String: LogLevelCell] = [:]

        /// The level of the longest beginning of `label` that has one of its own.
        func level(of label: String) -> Logger.Level {
            let found = exceptions.filter { LogLevels.contains($0.key, label) }
            return found.max { $0.key.utf8.count < $1.key.utf8.count }?.value ?? base
        }

        func apply() {
            for (label, cell) in cells { cell.level = level(of: label) }
        }
    }

    private let state: Mutex<State>

    /// Starts with one level for all.
    init(_ level: Logger.Level) {
        state = Mutex(State(base: level))
    }

    /// The levels now.
    var standing: Standing {
        state.withLock { Standing(base: $0.base, exceptions: $0.exceptions, labels: $0.cells.keys.sorted()) }
    }

    /// The level of the loggers called `label`.
    func cell(_ label: String) -> LogLevelCell {
        state.withLock { state in
            if let cell = state.cells[label] { return cell }
            let cell = LogLevelCell(state.level(of: label))
            state.cells[label] = cell
            return cell
        }
    }

    /// Sets the level of the process. Loggers with a level of their own keep it.
    func setBase(_ level: Logger.Level) {
        state.withLock { state in
            state.base = level
            state.apply()
        }
    }

    /// Sets the level of the loggers whose label is `beginning` or goes on behind it with a dot; `nil` for that of the
    /// process.
    ///
    /// - Returns: whether there is such a logger. If not, nothing changes, so that there are never more exceptions than
    ///   loggers have beginnings.
    func set(_ level: Logger.Level?, labelsFrom beginning: String) -> Bool {
        state.withLock { state in
            guard state.cells.keys.contains(where: { Self.contains(beginning, $0) }) else { return false }
            state.exceptions[beginning] = level
            state.apply()
            return true
        }
    }

    /// Makes the process say more, or less, by one level; at the end of the levels nothing changes.
    ///
    /// - Returns: the level of the process now.
    func step(isMore: Bool) -> Logger.Level {
        state.withLock { state in
            let position = state.base.position + (isMore ? -1 : 1)
            if Logger.Level.allCases.indices.contains(position) { state.base = Logger.Level.allCases[position] }
            state.apply()
            return state.base
        }
    }

    private static func contains(_ beginning: String, _ label: String) -> Bool {
        label == beginning || label.hasPrefix("\(beginning).")
    }
}

extension Logger.Level {
    /// The place among all levels, of which the first says most.
    fileprivate var position: Int { Logger.Level.allCases.firstIndex(of: self) ?? 0 }
}
