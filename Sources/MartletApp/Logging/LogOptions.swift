package import Logging

/// What a command was told about its logs.
package struct LogOptions: Sendable {
    /// The words of `--log-format`.
    package enum Format: String, Sendable, CaseIterable {
        /// Lines for people.
        case text
        /// A JSON object a line.
        case json
        /// What the command's users expect.
        case auto
    }

    /// Where a line for each request goes.
    package enum AccessLog: Hashable, Sendable {
        /// Nowhere.
        case off
        /// To standard error, among the other lines.
        case standardError
        /// To the end of a file.
        case file(path: String)
    }

    /// The level at the start.
    package var level = Logger.Level.info
    /// The form of the lines on standard error.
    package var format = Format.auto
    /// What `auto` means where standard error is no terminal.
    package var formatForMachines = Format.text
    /// Where a line for each request goes.
    package var accessLog = AccessLog.off
    /// The form of those lines; `nil` for JSON.
    package var accessLogFormat: Format?

    /// The defaults: lines for people, and none for each request.
    package init() {}

    /// Reads a level.
    ///
    /// - Throws: ``CommandError`` for another word than the seven levels.
    package static func level(_ word: String, flag: String = "--log-level") throws(CommandError) -> Logger.Level {
        if let level = Logger.Level(rawValue: word) { return level }
        let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        throw CommandError("\(flag) '\(word)' is not one of \(known).")
    }

    /// Reads a format.
    ///
    /// - Throws: ``CommandError`` for a word that is none.
    package static func format(_ word: String, flag: String = "--log-format") throws(CommandError) -> Format {
        if let format = Format(rawValue: word) { return format }
        throw CommandError("\(flag) '\(word)' is not one of text, json, auto.")
    }

    /// Reads the value of `--access-log`: `off`, `text`, `json` or a path, which has a `/` so that no mistyped word is
    /// one; and that of `--access-log-format`, which may be empty.
    ///
    /// - Throws: ``CommandError`` for what fits neither.
    package mutating func setAccessLog(_ word: String, format: String) throws(CommandError) {
        let flag = "--access-log-format"
        if !["", "text", "json"].contains(format) { throw CommandError("\(flag) '\(format)' is not text or json.") }
        accessLogFormat = Format(rawValue: format)
        switch word {
        case "", "off":
            accessLog = .off
            if !format.isEmpty { throw CommandError("\(flag) needs --access-log.") }
        case "text", "json":
            if !format.isEmpty, format != word {
                throw CommandError("--access-log \(word) and \(flag) \(format) contradict each other.")
            }
            accessLog = .standardError
            accessLogFormat = Format(rawValue: word)
        case _ where word.contains("/"):
            accessLog = .file(path: word)
        default:
            throw CommandError(
                "--access-log '\(word)' is not off, text or json; ./\(word) is a file of that name.")
        }
    }

    /// The form of the lines on standard error.
    ///
    /// - Parameters:
    ///   - isTerminal: whether people look at it.
    ///   - environment: the process's; `NO_COLOR` and `TERM=dumb` mean that colours are not wanted.
    func style(isTerminal: Bool, environment: [String: String]) -> LogStyle {
        let chosen = format == .auto ? (isTerminal ? .text : formatForMachines) : format
        if chosen == .json { return .json }
        let isPlain = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        return .text(isColoured: isTerminal && !isPlain)
    }
}
