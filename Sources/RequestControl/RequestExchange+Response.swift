import DataLayer
import FlowControl
package import GatewayCore
import RequestFormats
import Scheduling

// The way down: what the edge reports of the endpoint's response.
extension RequestExchange {
    /// Reports the head of the endpoint's response.
    ///
    /// - Returns: `nil` when the response is to be relayed; else the next attempt, and this response is of no use.
    package func responseHeadReceived(status: Int, isEventStream: Bool) -> NextStep? {
        let failure = AttemptFailure.status(status)
        if status >= 500, canRetry(failure), let reply = retryElsewhere(failure) { return .send(reply) }
        self.status = status
        self.isEventStream = isEventStream
        if !(502...504).contains(status) { lease?.responseBegan() }
        return nil
    }

    /// Whether another model serves than the client asked for, so that the response may have to be changed.
    package var isModelRewritten: Bool {
        guard let request = context?.request else { return false }
        return request.targetModel != request.model
    }

    /// Reports what the body of the response is that will be relayed, where ``isModelRewritten`` and the edge can
    /// change it. From here on ``responseBodyReceived(_:)`` puts the client's name of the model into it, unless it is
    /// neither JSON nor an event stream, or compressed.
    ///
    /// - Parameters:
    ///   - contentType: the response's `content-type`; empty for none.
    ///   - contentEncoding: its `content-encoding`; empty for none.
    /// - Returns: whether the body may change, and its length with it.
    package func restoreModel(contentType: String, contentEncoding: String) -> Bool {
        guard let request = context?.request, let identity, isModelRewritten, identity.api != .foreign else {
            return false
        }
        guard contentEncoding.isEmpty || contentEncoding.equalsIgnoringASCIICase("identity") else { return false }
        let type = MediaType(contentType)
        let isEventStream = type.essence == "text/event-stream"
        guard isEventStream || type.isJSON else { return false }
        restorer = ModelNameRestorer(
            name: request.model,
            servedAs: request.targetModel,
            api: identity.api,
            isEventStream: isEventStream
        )
        return true
    }

    /// Reports which endpoint's response it is, where a proxy tells. When it is another one than the chosen one,
    /// because the proxy tried again elsewhere, the request counts there from now on.
    ///
    /// - Parameter address: `host:port`, with an IPv6 host in brackets. One that is not in the pool changes nothing.
    package func served(by address: String) {
        guard let route, let chosen = lease.take() else { return }
        guard address != destination, let endpoint = endpoint(at: address, of: route.pool) else {
            lease = consume chosen
            return
        }
        release(chosen, outcome: .servedElsewhere, detail: "", usage: nil)
        guard var context = self.context.take() else { return }
        defer { self.context = context }
        guard let served = decision?.served(by: endpoint) else { return }
        context.now = controller.now()
        route.pool.scheduler.willSend(served, context: &context)
        lease = open(served, context, route)
        destination = address
        decision = served
    }

    /// The endpoint that answers at `address`: one of those that were picked, which the decision may have given another
    /// port, or another one of the pool.
    private func endpoint(at address: String, of pool: PoolRuntime) -> EndpointSnapshot? {
        if let decision, let index = decision.destinations.firstIndex(where: { $0.authority == address }) {
            return decision.primary.endpoints[index]
        }
        return pool.endpoints.current.endpoints.first { $0.address.authority == address }
    }

    /// What the plugins add to the response's header.
    ///
    /// - Parameter served: the endpoint that the proxy says has answered; `nil` when it does not say.
    package func responseFields(served: String?) -> [HeaderMutation.Field] {
        guard let context, let route, let decision else { return [] }
        return route.pool.scheduler.responseFields(
            of: ServedResponse(request: context.request, decision: decision, scratch: context.scratch, served: served)
        )
    }

    /// Reports that the response's first byte goes to the client: from here on nothing is retried.
    package func responseStarted() {
        isRelayed = true
        accounting?.responseStarted(isEventStream: isEventStream)
    }

    /// Reports a piece of the response's body.
    ///
    /// - Returns: the bytes that go on in its place, perhaps none; `nil` when the piece goes on as it is, as always
    ///   unless ``restoreModel(contentType:contentEncoding:)`` said so.
    @discardableResult
    package func responseBodyReceived(_ bytes: RawSpan) -> [UInt8]? {
        let now = controller.now()
        if bytes.byteCount > 0 {
            lease?.firstByteReceived()
            if timing?.firstByteAt == nil {
                timing?.firstByteAt = now
                // The prompt is computed: what it took is somebody else's now.
                route?.pool.endpoints.loadDidFall()
            }
        }
        accounting?.bytesReceived(bytes, at: now)
        let replacement = restorer?.restore(bytes)
        accounting?.worked(from: now, to: controller.now())
        return replacement
    }

    /// Reports the end of the response's body.
    ///
    /// - Returns: bytes that were held back and go on now; nearly always none.
    package func responseBodyEnded() -> [UInt8] {
        restorer?.finish() ?? []
    }

    /// Reports that the response's body is whole.
    ///
    /// - Returns: what the plugins tell the proxy in front about the response's token usage; nothing when it told none.
    package func usageReport() -> [ReportedNumber] {
        guard let context, let route, route.pool.scheduler.reportsUsage, let usage = accounting?.bodyEnded() else {
            return []
        }
        return route.pool.scheduler.report(usage, of: context.request)
    }
}
