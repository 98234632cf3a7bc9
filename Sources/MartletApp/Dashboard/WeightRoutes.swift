import GatewayConfiguration
import GatewayCore
import Logging
import NIOHTTP1
import RequestFormats
import Synchronization

/// `POST /api/rewrites/weight`: gives a target of a rewrite another weight in the file that says it; the watcher of the
/// configuration then reloads.
struct WeightRoutes: AdminArea {
    static let path = "/api/rewrites/weight"

    /// The file or folder of the configuration; `nil` where there is none, as in a cluster.
    let configurationPath: String?
    let logger: Logger
    private let turn = Turn()

    init(configurationPath: String?, logger: Logger) {
        self.configurationPath = configurationPath
        self.logger = logger
    }

    var paths: [String] { [Self.path] }

    func acts(_ request: AdminRequest) -> Bool { request.path == Self.path }

    func takesBody(_ request: AdminRequest) -> Bool { request.method == .POST && request.path == Self.path }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == Self.path else { return nil }
        guard request.method == .POST else { return .text("POST the new weight", status: .methodNotAllowed) }
        do {
            let wish = try ActionBody(request.body)
            let rewrite = ResourceName(
                namespace: try wish.text("namespace") ?? "default", name: try wish.requiredText("rewrite"))
            guard let weight = try wish.integer("weight") else {
                return .text("the body needs 'weight'", status: .badRequest)
            }
            let edit = try WeightEdit(rewrite: rewrite, target: try wish.requiredText("target"), weight: weight)
            return try apply(edit)
        } catch let refusal as WeightEdit.Refusal {
            return .text(refusal.description, status: refusal.isUnknown ? .notFound : .conflict)
        } catch let error as FormatError {
            return .text(error.message, status: .badRequest)
        } catch {
            return .text("\(error)", status: .internalServerError)
        }
    }

    private func apply(_ edit: WeightEdit) throws -> AdminResponse {
        guard let configurationPath else {
            let text = "weights are changed where they are written, and no file says them; change the resource instead"
            return .text(text, status: .conflict)
        }
        let file: WeightEdit.EditedFile
        do {
            file = try turn.take {
                let file = try edit.edited(at: configurationPath)
                try FileReplacement.replace(file.place, with: file.text)
                return file
            }
        } catch let error as CommandError {
            return .text(error.description, status: .conflict)
        }
        logger.notice(
            "a weight was changed at the admin address",
            metadata: [
                "rewrite": "\(edit.rewrite)", "target": "\(edit.target)", "weight": "\(edit.weight)",
                "file": "\(file.path)",
            ]
        )
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("weight", edit.weight)
        writer.endObject()
        return .json(writer.bytes)
    }
}

/// Lets one change of a file happen at a time: between reading it and replacing it, another one would be lost.
private final class Turn: Sendable {
    private let mutex = Mutex(())

    /// Does `work` when nobody else does; blocks until then.
    func take<Result: Sendable>(_ work: () throws -> Result) throws -> Result {
        try mutex.withLock { _ in try work() }
    }
}
