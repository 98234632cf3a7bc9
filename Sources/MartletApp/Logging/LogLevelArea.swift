import Logging
import NIOHTTP1
import RequestFormats

/// `GET` and `PUT /api/log-level`: which lines are written, and for those who have the admin token, which shall be from
/// now on.
struct LogLevelArea: AdminArea {
    static let path = "/api/log-level"

    private let levels: LogLevels
    private let logger: Logger

    /// Makes the area; `logger` is told of every change.
    init(levels: LogLevels, logger: Logger) {
        self.levels = levels
        self.logger = logger
    }

    var paths: [String] { [Self.path] }

    func acts(_ request: AdminRequest) -> Bool { request.path == Self.path && !request.isRead }

    func takesBody(_ request: AdminRequest) -> Bool { request.path == Self.path && request.method == .PUT }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == Self.path else { return nil }
        if request.isRead { return report() }
        guard request.method == .PUT else {
            return .text("only GET, HEAD and PUT are answered here", status: .methodNotAllowed)
        }
        do throws(FormatError) {
            let wish = try ActionBody(request.body)
            return fulfil(level: try wish.text("level"), label: try wish.text("label"))
        } catch {
            return .text(error.message, status: .badRequest)
        }
    }

    /// Sets a level; without one, loggers get the level of the process again.
    ///
    /// - Parameter label: the beginning of the labels of the loggers that are meant; `nil` for the whole process.
    private func fulfil(level word: String?, label: String?) -> AdminResponse {
        var level: Logger.Level?
        if let word {
            do throws(CommandError) {
                level = try LogOptions.level(word, flag: "level")
            } catch {
                return .text(error.description, status: .badRequest)
            }
        }
        if let label {
            guard levels.set(level, labelsFrom: label) else {
                let known = levels.standing.labels.joined(separator: ", ")
                return .text("no logger is called '\(label)'; there are \(known)", status: .notFound)
            }
        } else if let level {
            levels.setBase(level)
        } else {
            return .text("the process needs a level; null is for a label", status: .badRequest)
        }
        var metadata: Logger.Metadata = ["to": "\(level ?? levels.standing.base)"]
        if let label { metadata["label"] = "\(label)" }
        // Whatever the level is now: who changed what must be there to read.
        logger.log(
            level: max(logger.logLevel, .notice), "a log level was changed at the admin address", metadata: metadata)
        return report()
    }

    private func report() -> AdminResponse {
        let standing = levels.standing
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("level", standing.base.rawValue)
        writer.object("labels") { writer in
            for (label, level) in standing.exceptions.sorted(by: { $0.key < $1.key }) {
                writer.field(label, level.rawValue)
            }
        }
        writer.field("loggers", standing.labels)
        writer.endObject()
        return .json(writer.bytes)
    }
}
