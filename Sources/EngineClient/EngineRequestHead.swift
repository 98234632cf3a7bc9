import GatewayCore
import NIOHTTP1

/// The head of the gateway's own requests.
enum EngineRequestHead {
    /// A GET that asks for an answer as it is, without compression.
    static func make(_ request: OutboundRequest) -> HTTPRequestHead {
        let headers: HTTPHeaders = [
            "host": request.address.authority,
            "user-agent": "martlet",
            "accept": "text/plain;version=0.0.4, application/json;q=0.9, */*;q=0.5",
        ]
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: request.path, headers: headers)
    }
}
