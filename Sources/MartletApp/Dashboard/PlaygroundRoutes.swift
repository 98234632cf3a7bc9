import GatewayCore
import NIOCore
import NIOHTTP1
import RequestControl
import RequestFormats

/// `POST /api/playground`: sends a request of the page through the gateway's own listener, as any client would.
///
/// A page of another site must not be able to: a browser says where a request comes from, and a name that leads to this
/// address by somebody else's DNS is not taken for one's own.
struct PlaygroundRoutes: AdminArea {
    static let path = "/api/playground"

    /// Where clients connect, as URLs, now.
    let listeners: @Sendable () -> [String]
    /// The secret of those who may act; by another name than the machine's addresses the playground needs it.
    let token: AdminToken?
    private let places = Seats(16)

    init(listeners: @escaping @Sendable () -> [String], token: AdminToken?) {
        self.listeners = listeners
        self.token = token
    }

    var paths: [String] { [Self.path] }

    func takesBody(_ request: AdminRequest) -> Bool {
        request.path == Self.path && refusal(request) == nil
    }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == Self.path else { return nil }
        if let refusal = refusal(request) { return refusal }
        do throws(FormatError) {
            return try play(ActionBody(request.body))
        } catch {
            return .text(error.message, status: .badRequest)
        }
    }

    private func play(_ wish: ActionBody) throws(FormatError) -> AdminResponse {
        let known = listeners()
        guard let url = try wish.text("listener") ?? known.first, known.contains(url),
            let listener = PlaygroundCall.Listener(url: url)
        else {
            return .text("the gateway does not listen on that; its listeners are \(known)", status: .notFound)
        }
        guard let body = wish.raw("body"), body.kind == .object else {
            return .text("the body needs 'body', the request as a JSON object", status: .badRequest)
        }
        let path = try wish.text("path") ?? "/v1/chat/completions"
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .text(
                "the path '\(path)' does not begin with '/' or has other characters than it may", status: .badRequest)
        }
        let headers = try wish.texts("headers")
        if let bad = headers.first(where: { !PlaygroundCall.allows($0.name, $0.value) }) {
            return .text("the header '\(bad.name)' cannot be sent", status: .badRequest)
        }
        let call = PlaygroundCall(
            listener: listener, path: path, headers: headers, body: ByteBuffer(bytes: body.bytes))
        guard places.take() else {
            return .text("too many requests of the playground run at once", status: .serviceUnavailable)
        }
        return .stream { [places] stream in
            stream.whenClosed { places.giveBack() }
            call.run(to: stream)
        }
    }

    /// Why a request is not taken; `nil` when it is.
    private func refusal(_ request: AdminRequest) -> AdminResponse? {
        guard request.method == .POST else { return .text("POST the request", status: .methodNotAllowed) }
        guard request.headers.first("content-type")?.lowercased().hasPrefix("application/json") ?? false else {
            return .text("the playground takes application/json only", status: .unsupportedMediaType)
        }
        let host = request.headers.first("host") ?? ""
        if let site = request.headers.first("sec-fetch-site"), !["same-origin", "none"].contains(site) {
            return .text(
                "the playground is for the dashboard's own page, not for one of another site", status: .forbidden)
        }
        if let origin = request.headers.first("origin"), origin != "http://\(host)", origin != "https://\(host)" {
            return .text("the playground is for the dashboard's own page, not for '\(origin)'", status: .forbidden)
        }
        if Self.isLiteral(host.hostWithoutPort) || token?.verdict(request) == .allowed { return nil }
        let text = "by the name '\(host)' the playground needs the admin token; by an address or localhost it does not"
        return .text(text, status: .forbidden)
    }

    /// Whether a host is no name that somebody else's DNS could say: an address, or this machine.
    private static func isLiteral(_ host: String) -> Bool {
        let name = host.lowercased()
        return name == "localhost" || name.hasSuffix(".localhost")
            || (try? SocketAddress(ipAddress: name, port: 0)) != nil
    }
}
