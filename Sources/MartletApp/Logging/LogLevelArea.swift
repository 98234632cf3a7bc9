import FoundationEssentials
import Logging
import NIOHTTP1
import RequestFormats

/// `GET` and `PUT /api/log-level`: which lines are written, and for those who have the admin token, which shall be from
/// now on.
struct LogLevelArea: AdminArea {
    static let path = "/api/log-level"

    /// The body of a `PUT`.
    private struct Wish: Decodable {
        /// A level; `null` gives loggers the level of the process again.
        var level: String?
        /// The beginning of the labels of the loggers that are meant; `null` for the whole process.
        var label: String?
    }

    private let levels: LogLevels

    init(levels: LogLevels) {
        self.levels = levels
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
        guard let wish = try? JSONDecoder().decode(Wish.self, from: Data(request.body)) else {
            let example = #"{"level":"debug","label":null}"#
            return .text("the body is not of the form \(example)", status: .badRequest)
        }
        return fulfil(wish)
    }

    private func fulfil(_ wish: Wish) -> AdminResponse {
        var level: Logger.Level?
        if let word = wish.level {
            do throws(CommandError) {
                level = try LogOptions.level(word, flag: "level")
            } catch {
                return .text(error.description, status: .badRequest)
            }
        }
        if let label = wish.label {
            guard levels.set(level, labelsFrom: label) else {
                let known = levels.standing.labels.joined(separator: ", ")
                return .text("no logger is called '\(label)'; there are \(known)", status: .notFound)
            }
        } else if let level {
            levels.setBase(level)
        } else {
            return .text("the process needs a level; null is for a label", status: .badRequest)
        }
        return report()
    }

    private func report() -> AdminResponse {
        let standing = levels.standing
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("level")
        writer.string(standing.base.rawValue)
        writer.key("labels")
        writer.beginObject()
        for (label, level) in standing.exceptions.sorted(by: { $0.key < $1.key }) {
            writer.key(label)
            writer.string(level.rawValue)
        }
        writer.endObject()
        writer.key("loggers")
        writer.beginArray()
        for label in standing.labels { writer.string(label) }
        writer.endArray()
        writer.endObject()
        return .json(writer.bytes)
    }
}
