import GatewayCore

/// What is known of the session of one request, from the start of a decision until the request was sent.
struct SessionPin: Sendable {
    /// The endpoint that the session's requests go to; `nil` when there is no preference.
    var endpoint: EndpointID?
    /// The session's identifier, where bindings are kept by it.
    var session: String?
    /// The endpoint that this request may take the session away from: one that was not among its candidates, or the one
    /// that the request itself bound the session to.
    var replaceable: EndpointID?
    /// Whether ``replaceable`` was decided. Once per decision: a proxy's fallback is told without candidates.
    var isSettled = false
}

/// Keeps the requests of a session on one endpoint: what `session-affinity-filter` and `session-affinity-scorer` share.
///
/// The session is looked up once per decision, before the profiles run. Plugins with equal parameters share what they
/// look up and what they keep, so a filter and a scorer of one session never want different endpoints.
struct SessionAffinity: Sendable {
    /// How a session's endpoint is known.
    private enum Strategy {
        /// The client brings it, in a header that each response sets.
        case encodedEndpoint(header: String)
        /// The client brings a name, and the gateway remembers.
        case sessionID(sources: [SessionSource], bindings: SessionBindings)
    }

    private let strategy: Strategy
    /// The profile whose endpoint the session stays on; empty for the one that serves the request.
    private let profileName: String
    private let pin: DataWriter<SessionPin>

    /// Reads `strategy`, `profileName`, `encodedEndpointHeaderConfig` and `sessionIdConfig`; see docs/configuration.md.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let name = parameters.enumeration("strategy", default: StrategyName.encodedEndpointHeader)
        profileName = parameters.string("profileName", default: "")
        context.refersToProfile(namedAt: "profileName", in: parameters)
        let header = parameters.object("encodedEndpointHeaderConfig")?.headerName("header") ?? "x-session-token"
        let sessions = SessionIDParameters(parameters.object("sessionIdConfig") ?? ParameterDecoder(value: nil))
        let identity: String
        switch name {
        case .encodedEndpointHeader:
            strategy = .encodedEndpoint(header: header)
            identity = "header \(header)"
        case .sessionID:
            identity = "profile \(profileName), \(sessions)"
            let bindings = context.shared("session bindings of \(identity)") {
                SessionBindings(timeToLive: sessions.timeToLive, sweepInterval: sessions.sweepInterval)
            }
            strategy = .sessionID(sources: sessions.sources.map { $0.reader(&context) }, bindings: bindings)
        }
        pin = context.produce(DataKey<SessionPin>("SessionPin"), as: identity)
        let unused = name == .sessionID ? "encodedEndpointHeaderConfig" : "sessionIdConfig"
        if parameters.contains(unused) { parameters.warn("has no effect: strategy is \(name.rawValue)", at: unused) }
    }

    private enum StrategyName: String, CaseIterable {
        case encodedEndpointHeader = "encoded_endpoint_header"
        case sessionID = "session_id"
    }

    /// The endpoint that the session of `context`'s request is pinned to; `nil` when it has no preference.
    func endpoint(_ context: SchedulingContext) -> EndpointID? {
        context.scratch[pin]?.endpoint
    }

    /// Looks the session up.
    func lookUp(_ context: inout SchedulingContext) {
        switch strategy {
        case .encodedEndpoint(let header):
            let token = context.request.headers.first(named: header)
            context.scratch[pin] = SessionPin(endpoint: token.flatMap(EndpointID.init(sessionToken:)))
        case .sessionID(let sources, let bindings):
            let session = sources.firstIdentifier(in: context)
            context.scratch[pin] = SessionPin(
                endpoint: session.flatMap { bindings.endpoint(of: $0, at: context.now) },
                session: session
            )
        }
    }

    /// Binds the session to where its request goes.
    ///
    /// A session that is bound elsewhere moves only when the endpoint was not among the candidates that the profile's
    /// filters left: a picker that prefers another endpoint for once does not move it. When a proxy sends the request
    /// that bound a session to another endpoint, the session follows.
    func bind(_ decision: SchedulingDecision, _ context: inout SchedulingContext) {
        guard case .sessionID(_, let bindings) = strategy, var pin = context.scratch[pin], let session = pin.session,
            let result = result(in: decision)
        else { return }
        if !pin.isSettled {
            pin.isSettled = true
            pin.replaceable = pin.endpoint.flatMap { result.candidates.contains($0) ? nil : $0 }
        }
        let target = result.endpoints[0]
        if bindings.bind(session, to: target, replacing: pin.replaceable, at: context.now) {
            pin.replaceable = target.id
        }
        context.scratch[self.pin] = pin
    }

    /// The header that tells the client its session's endpoint; none when the client brings its own name, or when the
    /// profile did not run.
    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        guard case .encodedEndpoint(let header) = strategy, let result = result(in: response.decision) else {
            return []
        }
        return [HeaderMutation.Field(name: header, value: result.endpoints[0].id.sessionToken)]
    }

    /// Ends the bindings to an endpoint that left.
    func forget(_ endpoint: EndpointSnapshot) {
        if case .sessionID(_, let bindings) = strategy { bindings.forget(endpoint) }
    }

    private func result(in decision: SchedulingDecision) -> ProfileResult? {
        profileName.isEmpty ? decision.primary : decision.result(of: profileName)
    }
}

extension Candidates {
    fileprivate func contains(_ id: EndpointID) -> Bool {
        positions.contains { all[$0].id == id }
    }
}

extension EndpointID {
    /// The name as the client of a session sees it: `namespace/name` in base64.
    var sessionToken: String { Base64.encode(description.utf8) }

    /// Reads ``sessionToken``; `nil` for anything else. The token is the client's, so any text can come. A namespace
    /// has no slash.
    init?(sessionToken: String) {
        guard let bytes = Base64.decode(sessionToken), let text = String(validating: bytes, as: UTF8.self),
            let slash = text.firstIndex(of: "/")
        else { return nil }
        self.init(namespace: String(text[..<slash]), name: String(text[text.index(after: slash)...]))
    }
}
