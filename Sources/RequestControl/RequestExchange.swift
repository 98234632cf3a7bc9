import DataLayer
package import FlowControl
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
    let controller: RequestController
    let state: GatewayState
    let incoming: IncomingRequest
    private let routes: RouteTableKey
    private let retrier: Retrier
    /// Asks the edge to call ``resume()``, or to end the request for a more important one.
    var wakeUp: @Sendable (Wake) -> Void = { _ in }

    private var random: RandomSource
    var identity: RequestIdentity?
    var route: RouteSelection?
    private var rewrite: ModelRewrite?
    /// Puts the client's name of the model into the response, while that is relayed.
    var restorer: ModelNameRestorer?
    var context: SchedulingContext?
    var accounting: ResponseAccounting?
    /// The request's way through flow control; `nil` where requests do not wait.
    var ticket: AdmissionTicket?
    var lease: RequestLease?
    private var tried: [EndpointID] = []
    /// The decision of the last attempt, with the endpoint that serves it first.
    var decision: SchedulingDecision?
    /// The address that the last attempt was sent to, as `host:port`.
    var destination = ""
    var attemptCount = 0
    /// How long the last scheduling decision took.
    var decisionNanoseconds: Int64 = 0
    var isEventStream = false
    var status = 0
    /// Whether the client has something of the endpoint's response.
    var isRelayed = false
    /// The facts about the present attempt that say how long the endpoint took.
    var timing: ServiceTiming?
    /// The request's place in a distributed trace; `nil` while no traces are made.
    let trace: RequestTrace?
    private var isOver = false

    /// What an exchange asks of its edge while nothing else happens to the request.
    package enum Wake: Sendable {
        /// The request's turn has come: call ``RequestExchange/resume()``.
        case resume
        /// Another request needs its place: call ``RequestExchange/evict()``.
        case evict
    }

    /// Who sends a request again that an endpoint failed to answer.
    package enum Retrier: Sendable {
        /// The gateway, which chooses the next endpoint itself.
        case gateway
        /// The proxy in front of the endpoints, which walks down the list that it was given: the gateway is asked once
        /// and then only watches.
        case proxy
    }

    /// Starts a request that came in on the listeners of `routes`.
    ///
    /// - Parameters:
    ///   - controller: what all requests share.
    ///   - routes: the listeners.
    ///   - request: the request, whole.
    ///   - retrier: who sends it again that an endpoint failed to answer.
    ///   - proxyTraceParent: the place in a trace that the proxy has told beside the request's own header. It counts
    ///     where the header has none: a proxy that begins a trace writes it into the request only behind the gateway.
    package init(
        controller: RequestController,
        routes: RouteTableKey,
        request: IncomingRequest,
        retrier: Retrier = .gateway,
        proxyTraceParent: String? = nil
    ) {
        self.controller = controller
        self.routes = routes
        self.retrier = retrier
        state = controller.state
        incoming = request
        let random = controller.randomSource()
        self.random = random
        trace = controller.tracer.map {
            RequestTrace(
                $0, request: request, proxyTraceParent: proxyTraceParent, random: random, now: controller.now())
        }
    }

    /// The present instant, by the gateway's clock.
    package func now() -> MonotonicInstant { controller.now() }

    // MARK: The way up

    /// Identifies the request, finds its pool, lets it wait for its turn and chooses its endpoint.
    ///
    /// - Parameter wakeUp: called from any thread, also while the edge calls the exchange; the edge does what it asks
    ///   for on its event loop, unless the request has ended.
    package func begin(wakeUp: @escaping @Sendable (Wake) -> Void = { _ in }) -> NextStep {
        self.wakeUp = wakeUp
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
                recorded: trace.flatMap { $0.isRecording ? $0.context : nil },
                metrics: controller.metrics
            )
            return try admit()
        } catch {
            return refuse(error)
        }
    }

    /// What flow control decided; `nil` while the request waits, and where nobody waits.
    package var admission: FlowDecision? { ticket?.decision }

    /// When the client's patience ends by the route, whatever the attempt; `nil` for never.
    package var deadline: MonotonicInstant? {
        route?.rule.requestTimeout.map { incoming.receivedAt.advanced(by: $0) }
    }

    /// Goes on with a request that waited, after ``Wake/resume``.
    package func resume() -> NextStep {
        do throws(Rejection) {
            return try admitted()
        } catch {
            return refuse(error)
        }
    }

    /// Tells that the time in which requests may end is over. Nobody who waits is let go from here on, also not into
    /// the places of those who end now; a request that waits, or whose turn has just come, ends.
    ///
    /// - Returns: the answer to the client; `nil` when the request was sent somewhere, or has ended.
    package func shutDown() -> LocalReply? {
        route?.pool.flowControl?.shutDown()
        guard !isOver, ticket != nil, attemptCount == 0 else { return nil }
        let rejection = Rejection(.shuttingDown, "flow controller shutting down: the request waited for its turn")
        end(nil, errorCode: String(OutcomeMapping(.shuttingDown).status), rejection: rejection)
        return LocalReply(rejection, api: state.parsers.api(forPath: incoming.target))
    }

    /// Ends the request for a more important one, after ``Wake/evict``.
    ///
    /// - Returns: the answer to the client, if it has nothing of a response yet; `nil` when the request has ended.
    package func evict() -> LocalReply? {
        guard !isOver else { return nil }
        let rejection = Rejection(.evicted, "request evicted by flow control")
        end(
            .evicted,
            errorCode: String(OutcomeMapping(.evicted).status),
            // A client that has something of a response gets no other one: it is broken off.
            rejection: isRelayed ? nil : rejection
        )
        return LocalReply(rejection, api: state.parsers.api(forPath: incoming.target))
    }

    /// Reports that the present attempt failed before anything of it was relayed.
    ///
    /// - Returns: the next attempt, or the answer to the client when the policy or the candidates are used up.
    package func attemptFailed(_ failure: AttemptFailure) -> NextStep {
        closeAttempt(failure)
        controller.metrics.proxy.upstreamErrors.child(failure.label).increment()
        guard canRetry(failure) else { return refuse(rejection(for: failure)) }
        let failed = FailedAttempt(failure, of: self)
        do throws(Rejection) {
            let reply = try nextAttempt()
            controller.metrics.proxy.retries.child(failure.label).increment()
            tell(failed)
            return .send(reply)
        } catch {
            // That nobody else is left is not what the client should hear: the first failure is.
            return refuse(rejection(for: failure))
        }
    }

    /// Reports that the route's time for the whole request is over, before anything was relayed.
    package func requestTimedOut() -> NextStep {
        if admission == nil { ticket?.close(usage: nil, as: .evictedTTL) }
        closeAttempt(.timeout)
        return refuse(rejection(for: .timeout))
    }

    // MARK: Attempts

    func nextAttempt() throws(Rejection) -> RoutingReply {
        // Taken out while it changes: with two owners each slot that a plugin fills would copy all of them.
        guard let route, var context = self.context.take() else {
            throw Rejection(.internalError, "the request was not identified")
        }
        let started = controller.now()
        let decision: SchedulingDecision
        var kept: DecisionRecord?
        // Behind the decision's end: what is told of its time is not a part of it.
        defer { if let kept { route.pool.scheduler.countSteps(of: kept.trace) } }
        context.requestHeaders = HeaderMutation()
        context.now = started
        do throws(Rejection) {
            defer { self.context = context }
            decision = try decide(&context, route, startedAt: started, kept: &kept)
        } catch {
            let model = context.request.targetModel
            controller.metrics.scheduling.attempts(.failure, targetModel: model).increment()
            throw error
        }
        lease = open(decision, context, route)
        let now = controller.now()
        if attemptCount == 0 {
            accounting?.sent()
            controller.metrics.requests.requestProcessing.observe(now.seconds(since: incoming.receivedAt))
        }
        decisionNanoseconds = now.nanoseconds &- started.nanoseconds
        noteBeginning(on: decision.endpoint, context.request, at: now)
        let seconds = now.seconds(since: started)
        count(decision, model: context.request.targetModel, seconds: seconds)
        defer { attemptCount += 1 }
        let traceHeader = trace?.ready(for: decision, at: now, isSentByGateway: retrier == .gateway)
        let reply = reply(
            with: decision, pluginHeaders: context.requestHeaders, traceHeader: traceHeader, route: route)
        destination = reply.destinations[0].authority
        self.decision = decision
        return reply
    }

    /// Opens the lease of a decision. The endpoints of other profiles work for the request too: those of prefill until
    /// the response begins.
    func open(
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
            },
            as: InFlightKind(
                producer: scheduler.loadEstimatorName,
                fairnessID: context.request.fairnessLabel,
                priority: context.request.priority
            )
        )
    }

    private func decide(
        _ context: inout SchedulingContext,
        _ route: RouteSelection,
        startedAt started: MonotonicInstant,
        kept: inout DecisionRecord?
    ) throws(Rejection) -> SchedulingDecision {
        let step = DecisionStep(
            pool: route.pool, tried: tried, subset: incoming.endpointSubset, waited: admission?.waited
        )
        let decision: SchedulingDecision
        if controller.decisions != nil || trace?.isRecording == true {
            decision = try step.decide(&context, attempt: attemptCount, begunAt: started, clock: controller.clock) {
                if let decisions = controller.decisions {
                    decisions.record($0)
                    kept = $0
                }
                trace?.decided($0)
            }
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
        traceHeader: HeaderMutation?,
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
        if let traceHeader { requestHeaders.append(traceHeader) }
        return RoutingReply(
            pick: decision.primary,
            destinations: decision.destinations,
            attempt: attemptCount,
            requestHeaders: requestHeaders,
            body: rewrite?.replacement(in: incoming.body),
            responseHeaders: responseHeaders,
            requestDeadline: deadline,
            attemptTimeout: route.rule.backendTimeout
        )
    }

    func canRetry(_ failure: AttemptFailure) -> Bool {
        guard retrier == .gateway else { return false }
        let policy = route?.rule.retry ?? controller.configuration.retry
        return attemptCount <= policy.maxRetries && policy.allows(failure)
    }

    /// The next attempt after an answer that the policy may retry; `nil` when there is nobody to take it, so that the
    /// client gets the answer that we have.
    func retryElsewhere(_ failure: AttemptFailure) -> RoutingReply? {
        guard let failed = lease.take() else { return nil }
        tried.append(failed.endpoint.id)
        let attempt = FailedAttempt(failure, of: self)
        guard let reply = try? nextAttempt() else {
            tried.removeLast()
            lease = consume failed
            return nil
        }
        trace?.attemptFailed(attemptCount - 2, failure, at: controller.now())
        release(failed, outcome: failure.outcome, detail: failure.detail, usage: nil)
        controller.metrics.proxy.upstreamErrors.child(failure.label).increment()
        controller.metrics.proxy.retries.child(failure.label).increment()
        tell(attempt)
        return reply
    }

    private func closeAttempt(_ failure: AttemptFailure) {
        guard let failed = lease.take() else { return }
        if let trace { trace.attemptFailed(attemptCount - 1, failure, at: controller.now()) }
        // A kept-alive connection that broke says that the server had closed it, not that the server is gone: the same
        // endpoint may be tried again, on a new connection. Edges use kept-alive connections for the first attempt
        // only.
        let isStale = failure == .reset(onReusedConnection: true) && attemptCount == 1
        if !isStale { tried.append(failed.endpoint.id) }
        let outcome = isStale ? .staleConnection : failure.outcome
        release(failed, outcome: outcome, detail: failure.detail, usage: nil)
    }

    func release(_ lease: consuming RequestLease, outcome: RequestOutcome, detail: String, usage: TokenUsage?) {
        let endpoint = lease.endpoint
        lease.close(outcome, detail: detail)
        if let context, let route {
            route.pool.scheduler.didEnd(context.request, endpoint: endpoint, outcome: outcome, usage: usage)
            // The store tells everybody who waits for the pool, under whichever configuration.
            route.pool.endpoints.loadDidFall()
        }
    }

    // MARK: The end

    /// Ends the request. Closes its lease; further calls do nothing.
    package func finish(_ outcome: RequestOutcome) {
        let isGatewayError = outcome == .completed && (502...504).contains(status)
        end(isGatewayError ? .gatewayError : outcome, errorCode: errorCode(outcome))
    }

    private func refuse(_ rejection: Rejection) -> NextStep {
        end(nil, errorCode: String(OutcomeMapping(rejection.reason).status), rejection: rejection)
        return .reply(LocalReply(rejection, api: state.parsers.api(forPath: incoming.target)))
    }

    private func end(_ outcome: RequestOutcome?, errorCode: String?, rejection: Rejection? = nil) {
        guard !isOver else { return }
        isOver = true
        // One that still waits leaves now, so that its wait is known. It has no endpoint whose room others could take.
        if attemptCount == 0, admission == nil { ticket?.close(usage: nil) }
        let now = controller.now()
        var accounting = self.accounting.take()
        let usage = accounting?.ended(at: now, errorCode: errorCode)
        if !controller.observers.isEmpty || trace?.isRecording == true {
            let summary = summary(outcome, rejection: rejection, accounting: accounting, usage: usage, at: now)
            for observer in controller.observers { observer.requestEnded(summary) }
            if let trace, trace.isRecording {
                trace.ended(
                    RequestSpans.Ending(
                        summary: summary,
                        api: identity?.api,
                        path: String(incoming.path),
                        admission: admission
                    )
                )
            }
        }
        if outcome == .completed, status < 400 { noteService(endedAt: now, usage: usage) }
        if let last = lease.take() { release(last, outcome: outcome ?? .abandoned, detail: "", usage: usage) }
        // Behind the lease, so that whoever goes next finds the room that this one leaves.
        ticket.take()?.close(usage: usage)
        // It leads back to the edge, which holds the exchange.
        wakeUp = { _ in }
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
        case .timeout where attemptCount == 0:
            return Rejection(.upstreamTimeout, "The request waited for its turn for as long as the route allows.")
        case .timeout:
            return Rejection(.upstreamTimeout, "The endpoint did not answer in the time that the route allows.")
        }
    }
}

extension SchedulingDecision {
    /// The addresses that the request may be sent to, best first.
    var destinations: [EndpointAddress] {
        primary.endpoints.map { endpoint in
            let own = endpoint.address
            guard let destinationPort, destinationPort != own.port else { return own }
            return EndpointAddress(host: own.host, port: destinationPort, isSecure: own.isSecure)
        }
    }
}
