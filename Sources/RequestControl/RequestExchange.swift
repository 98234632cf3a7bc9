import DataLayer
package import GatewayCore
import RequestFormats
import Scheduling
import Telemetry

/// One request on its way: the ten steps of the data flow, for every front door.
///
/// The edge makes it when the request's body is whole, asks ``begin()`` what to do, reports what became of each
/// attempt, and ends it with ``finish(_:)`` exactly once unless the last step was a reply. Not `Sendable`: it belongs
/// to the edge's event loop. Everything in it is synchronous.
package final class RequestExchange {
    private let controller: RequestController
    private let state: GatewayState
    private let routes: RouteTableKey
    private let incoming: IncomingRequest

    private var random: RandomSource
    private var identity: RequestIdentity?
    private var route: RouteSelection?
    private var rewrite: ModelRewrite?
    /// Puts the client's name of the model into the response, while that is relayed.
    private var restorer: ModelNameRestorer?
    private var context: SchedulingContext?
    private var accounting: ResponseAccounting?
    private var lease: RequestLease?
    private var tried: [EndpointID] = []
    /// The decision of the last attempt, with the endpoint that serves it first.
    private var decision: SchedulingDecision?
    /// The address that the last attempt was sent to, as `host:port`.
    private var destination = ""
    private var attemptCount = 0
    private var isEventStream = false
    private var status = 0
    private let retrier: Retrier

    /// Who sends a request again that an endpoint failed to answer.
    package enum Retrier: Sendable {
        /// The gateway, which chooses the next endpoint itself.
        case gateway
        /// The proxy in front of the endpoints, which walks down the list that it was given: the gateway is asked once
        /// and then only watches.
        case proxy
    }

    /// Starts a request that came in on the listeners of `routes`.
    package init(
        controller: RequestController,
        routes: RouteTableKey,
        request: IncomingRequest,
        retrier: Retrier = .gateway
    ) {
        self.controller = controller
        self.routes = routes
        self.retrier = retrier
        state = controller.state
        incoming = request
        random = controller.randomSource()
    }

    /// The present instant, by the gateway's clock.
    package func now() -> MonotonicInstant { controller.now() }

    // MARK: The way up

    /// Identifies the request, finds its pool and chooses its endpoint.
    package func begin() -> NextStep {
        do throws(Rejection) {
            if let reply = try ModelList.reply(to: incoming, state: state, routes: routes) { return .reply(reply) }
            let resolution = try RequestResolution(
                incoming,
                state: state,
                routes: routes,
                isBehindProxy: retrier == .proxy,
                controller: controller,
                random: &random
            )
            identity = resolution.identity
            route = resolution.route
            rewrite = resolution.rewrite
            count(resolution.rewrite)
            context = resolution.context
            accounting = ResponseAccounting(
                resolution.context.request,
                api: resolution.identity.api,
                metrics: controller.metrics
            )
            return .send(try nextAttempt())
        } catch {
            return refuse(error)
        }
    }

    /// Reports that the present attempt failed before anything of it was relayed.
    ///
    /// - Returns: the next attempt, or the answer to the client when the policy or the candidates are used up.
    package func attemptFailed(_ failure: AttemptFailure) -> NextStep {
        closeAttempt(failure)
        controller.metrics.proxy.upstreamErrors.child(failure.label).increment()
        guard canRetry(failure) else { return refuse(rejection(for: failure)) }
        do throws(Rejection) {
            let reply = try nextAttempt()
            controller.metrics.proxy.retries.child(failure.label).increment()
            return .send(reply)
        } catch {
            // That nobody else is left is not what the client should hear: the first failure is.
            return refuse(rejection(for: failure))
        }
    }

    /// Reports that the route's time for the whole request is over, before anything was relayed.
    package func requestTimedOut() -> NextStep {
        closeAttempt(.timeout)
        return refuse(rejection(for: .timeout))
    }

    // MARK: The way down

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
        accounting?.responseStarted(isEventStream: isEventStream)
    }

    /// Reports a piece of the response's body.
    ///
    /// - Returns: the bytes that go on in its place, perhaps none; `nil` when the piece goes on as it is, as always
    ///   unless ``restoreModel(contentType:contentEncoding:)`` said so.
    @discardableResult
    package func responseBodyReceived(_ bytes: RawSpan) -> [UInt8]? {
        if bytes.byteCount > 0 { lease?.firstByteReceived() }
        accounting?.bytesReceived(bytes, at: controller.now())
        return restorer?.restore(bytes)
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

    /// Ends the request. Closes its lease; further calls do nothing.
    package func finish(_ outcome: RequestOutcome) {
        let isGatewayError = outcome == .completed && (502...504).contains(status)
        end(isGatewayError ? .gatewayError : outcome, errorCode: errorCode(outcome))
    }

    // MARK: Attempts

    private func nextAttempt() throws(Rejection) -> RoutingReply {
        // Taken out while it changes: with two owners each slot that a plugin fills would copy all of them.
        guard let route, var context = self.context.take() else {
            throw Rejection(.internalError, "the request was not identified")
        }
        let started = controller.now()
        let decision: SchedulingDecision
        context.requestHeaders = HeaderMutation()
        do throws(Rejection) {
            defer { self.context = context }
            decision = try decide(&context, route, startedAt: started)
        } catch {
            let model = context.request.targetModel
            controller.metrics.scheduling.attempts(.failure, targetModel: model).increment()
            throw error
        }
        lease = open(decision, context, route)
        let seconds = controller.now().seconds(since: started)
        count(decision, model: context.request.targetModel, seconds: seconds)
        defer { attemptCount += 1 }
        let reply = reply(with: decision, pluginHeaders: context.requestHeaders, route: route)
        destination = reply.destinations[0].authority
        self.decision = decision
        return reply
    }

    /// Opens the lease of a decision. The endpoints of other profiles work for the request too: those of prefill until
    /// the response begins.
    private func open(
        _ decision: SchedulingDecision,
        _ context: SchedulingContext,
        _ route: RouteSelection
    ) -> RequestLease {
        let scheduler = route.pool.scheduler
        return route.pool.endpoints.open(
            decision.endpoint,
            load: scheduler.load(of: context, on: decision.endpoint),
            supporting: decision.secondary.map { result in
                let load = scheduler.load(of: context, on: result.endpoints[0])
                let lastsToEnd = load.lastsToEnd && result.profile != decision.prefillProfile
                return SupportingLoad(endpoint: result.endpoints[0], tokens: load.tokens, lastsToEnd: lastsToEnd)
            }
        )
    }

    private func decide(
        _ context: inout SchedulingContext,
        _ route: RouteSelection,
        startedAt started: MonotonicInstant
    ) throws(Rejection) -> SchedulingDecision {
        let step = DecisionStep(pool: route.pool, tried: tried, subset: incoming.endpointSubset)
        let decision: SchedulingDecision
        if let decisions = controller.decisions {
            decision = try step.decide(
                &context,
                attempt: attemptCount,
                begunAt: started,
                clock: controller.clock,
                keep: decisions.record
            )
        } else {
            decision = try step.decide(&context)
        }
        route.pool.scheduler.willSend(decision, context: &context)
        return decision
    }

    private func count(_ rewrite: ModelRewrite) {
        guard let name = rewrite.decidedBy else { return }
        controller.metrics.scheduling.rewriteDecisions.child(name, rewrite.asked, rewrite.target).increment()
    }

    private func count(_ decision: SchedulingDecision, model: String, seconds: Double) {
        let endpoint = decision.endpoint
        controller.metrics.scheduling.duration.observe(seconds)
        if let kind = decision.kind {
            controller.metrics.scheduling.disaggregations(
                kind.name,
                pluginName: kind.pluginName,
                pluginType: kind.pluginType,
                model: model
            ).increment()
        }
        controller.metrics.scheduling.attempts(
            .success,
            targetModel: model,
            endpoint: endpoint.id.name,
            namespace: endpoint.id.namespace,
            port: String(endpoint.address.port)
        ).increment()
    }

    private func reply(
        with decision: SchedulingDecision,
        pluginHeaders: HeaderMutation,
        route: RouteSelection
    ) -> RoutingReply {
        var responseHeaders = route.rule.responseHeaders
        if controller.configuration.addsServedHeader {
            responseHeaders.set.append(
                HeaderMutation.Field(
                    name: HeaderNames.destinationEndpointServed,
                    value: decision.endpoint.address.authority
                )
            )
        }
        var requestHeaders = route.requestHeaders
        if let identity, !identity.hasOwnID {
            let field = HeaderMutation.Field(name: "\(HeaderNames.requestID)", value: identity.id)
            requestHeaders.append(HeaderMutation(set: [field]))
        }
        if !pluginHeaders.isEmpty { requestHeaders.append(pluginHeaders) }
        return RoutingReply(
            pick: decision.primary,
            destinations: decision.destinations,
            attempt: attemptCount,
            requestHeaders: requestHeaders,
            body: rewrite?.replacement(in: incoming.body),
            responseHeaders: responseHeaders,
            requestDeadline: route.rule.requestTimeout.map { incoming.receivedAt.advanced(by: $0) },
            attemptTimeout: route.rule.backendTimeout
        )
    }

    private func canRetry(_ failure: AttemptFailure) -> Bool {
        guard retrier == .gateway else { return false }
        let policy = route?.rule.retry ?? controller.configuration.retry
        return attemptCount <= policy.maxRetries && policy.allows(failure)
    }

    /// The next attempt after an answer that the policy may retry; `nil` when there is nobody to take it, so that the
    /// client gets the answer that we have.
    private func retryElsewhere(_ failure: AttemptFailure) -> RoutingReply? {
        guard let failed = lease.take() else { return nil }
        tried.append(failed.endpoint.id)
        guard let reply = try? nextAttempt() else {
            tried.removeLast()
            lease = consume failed
            return nil
        }
        release(failed, outcome: failure.outcome, detail: failure.detail, usage: nil)
        controller.metrics.proxy.upstreamErrors.child(failure.label).increment()
        controller.metrics.proxy.retries.child(failure.label).increment()
        return reply
    }

    private func closeAttempt(_ failure: AttemptFailure) {
        guard let failed = lease.take() else { return }
        // A kept-alive connection that broke says that the server had closed it, not that the server is gone: the same
        // endpoint may be tried again, on a new connection. Edges use kept-alive connections for the first attempt
        // only.
        let isStale = failure == .reset(onReusedConnection: true) && attemptCount == 1
        if !isStale { tried.append(failed.endpoint.id) }
        let outcome = isStale ? .staleConnection : failure.outcome
        release(failed, outcome: outcome, detail: failure.detail, usage: nil)
    }

    private func release(_ lease: consuming RequestLease, outcome: RequestOutcome, detail: String, usage: TokenUsage?) {
        let endpoint = lease.endpoint
        lease.close(outcome, detail: detail)
        if let context, let route {
            route.pool.scheduler.didEnd(context.request, endpoint: endpoint, outcome: outcome, usage: usage)
        }
    }

    // MARK: The end

    private func refuse(_ rejection: Rejection) -> NextStep {
        end(nil, errorCode: String(OutcomeMapping(rejection.reason).status))
        return .reply(LocalReply(rejection, api: state.parsers.api(forPath: incoming.target)))
    }

    private func end(_ outcome: RequestOutcome?, errorCode: String?) {
        let usage = accounting?.ended(at: controller.now(), errorCode: errorCode)
        accounting = nil
        if let last = lease.take() { release(last, outcome: outcome ?? .abandoned, detail: "", usage: usage) }
    }

    private func errorCode(_ outcome: RequestOutcome) -> String? {
        switch outcome {
        case .completed: status >= 400 ? String(status) : nil
        default: outcome.rawValue
        }
    }

    private func rejection(for failure: AttemptFailure) -> Rejection {
        let tries = attemptCount == 1 ? "one attempt" : "\(attemptCount) attempts"
        switch failure {
        case .connect(let why):
            return Rejection(.upstreamFailed, "No endpoint could be reached after \(tries); the last one: \(why).")
        case .reset:
            return Rejection(.upstreamFailed, "The endpoint closed the connection without an answer, after \(tries).")
        case .status(let status):
            return Rejection(.upstreamFailed, "The endpoint answered \(status), after \(tries).")
        case .timeout:
            return Rejection(.upstreamTimeout, "The endpoint did not answer in the time that the route allows.")
        }
    }
}

extension SchedulingDecision {
    /// The addresses that the request may be sent to, best first.
    fileprivate var destinations: [EndpointAddress] {
        primary.endpoints.map { endpoint in
            let own = endpoint.address
            guard let destinationPort, destinationPort != own.port else { return own }
            return EndpointAddress(host: own.host, port: destinationPort, isSecure: own.isSecure)
        }
    }
}
