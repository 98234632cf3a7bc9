import Logging
import Telemetry

/// Makes lines of what loggers are told, and gives them to the one writer of the process.
///
/// A copy of a logger has metadata of its own, and its level as long as nobody sets another for that copy.
struct ProcessLogHandler: LogHandler {
    let label: String
    private let style: LogStyle
    private let writer: LineWriter
    private let shared: LogLevelCell
    private var own: Logger.Level?
    var metadata = Logger.Metadata()
    var metadataProvider: Logger.MetadataProvider?

    /// Makes the handler of the loggers called `label`.
    init(label: String, style: LogStyle, writer: LineWriter, level: LogLevelCell) {
        self.label = label
        self.style = style
        self.writer = writer
        shared = level
    }

    var logLevel: Logger.Level {
        get { own ?? shared.level }
        set { own = newValue }
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = LogLine(
            style,
            event.level,
            logger: label,
            message: event.message.description,
            caller: style == .json ? "\(event.file):\(event.line)" : nil
        )
        for (key, value) in fields(of: event) { line.add(key, value) }
        writer.write(line.finished())
    }

    /// The fields in the order of their keys. One that is called as a part of every line gets a `_` behind its name.
    private func fields(of event: LogEvent) -> [(key: String, value: Logger.MetadataValue)] {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let told = event.metadata { all.merge(told) { _, new in new } }
        if let error = event.error, all[LogKeys.error] == nil { all[LogKeys.error] = "\(error)" }
        for key in LogLine.ownKeys {
            guard let value = all.removeValue(forKey: key) else { continue }
            var name = "\(key)_"
            while all[name] != nil { name += "_" }
            all[name] = value
        }
        return all.sorted { $0.key < $1.key }
    }
}
