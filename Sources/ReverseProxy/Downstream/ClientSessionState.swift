/// Where one client connection stands between its requests. A pure value: it decides, the session acts.
struct ClientSessionState {
    /// What the connection is doing.
    enum Phase: Equatable {
        /// Between requests; can go to `receiving` and `closed`.
        case idle
        /// A request's head has come and its end has not; can go to `responding` and `closed`.
        case receiving
        /// The request is being answered. `isRequestComplete` is false when it was refused before its end; can go to
        /// `idle`, `discarding` and `closed`.
        case responding(isRequestComplete: Bool)
        /// Answered before the request's end; the rest is thrown away; can go to `closed`.
        case discarding
        /// Over.
        case closed
    }

    /// What follows the end of a response.
    enum AfterResponse: Equatable {
        /// The connection takes its next request.
        case nextRequest
        /// The connection closes.
        case close
        /// Our direction closes; the client's is read until it ends.
        case linger
    }

    private(set) var phase = Phase.idle
    private var keepsAlive = true

    /// Whether parts of a request can be processed now.
    var takesInput: Bool { phase == .idle || phase == .receiving }
    /// Whether parts of a request are thrown away.
    var discardsInput: Bool {
        phase == .discarding || phase == .closed || phase == .responding(isRequestComplete: false)
    }
    /// Whether a request's body is being collected.
    var isReceiving: Bool { phase == .receiving }
    /// Whether a request is being answered.
    var isResponding: Bool { if case .responding = phase { true } else { false } }

    mutating func headReceived(keepAlive: Bool) {
        guard phase == .idle else { return }
        phase = .receiving
        keepsAlive = keepAlive
    }

    /// The request's last part has come.
    mutating func requestComplete() {
        if phase == .idle || phase == .receiving { phase = .responding(isRequestComplete: true) }
    }

    /// The request is answered before its last part, or before it could be read at all.
    mutating func requestRefused() {
        guard takesInput else { return }
        phase = .responding(isRequestComplete: false)
        keepsAlive = false
    }

    /// The connection ends behind the present response.
    mutating func mustClose() {
        keepsAlive = false
    }

    /// Whether the connection closes behind the present response.
    func willClose(isDraining: Bool) -> Bool {
        !keepsAlive || isDraining
    }

    mutating func responseEnded(isDraining: Bool) -> AfterResponse {
        switch phase {
        case .responding(isRequestComplete: false):
            phase = .discarding
            return .linger
        case .responding where keepsAlive && !isDraining:
            phase = .idle
            return .nextRequest
        default:
            phase = .closed
            return .close
        }
    }

    mutating func closed() {
        phase = .closed
    }
}
