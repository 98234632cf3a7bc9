import DataLayer
import FlowControl
import GatewayCore
import ModelServerSimulator
import RequestControl

// What an edge does with a request: the exchange decides, this carries it out.
extension GatewaySimulation {
    /// A client sends a request.
    func begin(number: Int, client: Int, sequence: Int) {
        let request = maker.request(client: client, number: sequence)
        var fields = [HeaderMap.Field(name: "content-type", value: "application/json")]
        let trafficClass = request.trafficClass
        if let id = trafficClass?.fairnessID, !id.isEmpty {
            fields.append(HeaderMap.Field(name: "x-llm-d-inference-fairness-id", value: id))
        }
        if let objective = trafficClass?.objective, !objective.isEmpty {
            fields.append(HeaderMap.Field(name: "x-llm-d-inference-objective", value: objective))
        }
        var incoming = IncomingRequest(
            method: "POST",
            target: "/v1/chat/completions",
            authority: "gateway.test",
            headers: HeaderMap(fields),
            body: ArrayBody(request.body),
            receivedAt: now
        )
        incoming.endpointSubset = subset(of: trafficClass)
        let exchange = RequestExchange(controller: controller, routes: .standalone, request: incoming)
        runs[number] = RequestRun(
            request: request,
            exchange: exchange,
            stream: EventStreamText(number: number),
            record: RequestRecord(
                client: client,
                sequence: sequence,
                prefix: request.prefix,
                objective: trafficClass?.objective ?? "",
                fairnessID: trafficClass?.fairnessID ?? "",
                sentAt: now,
                endedAt: now
            )
        )
        if trafficClass?.isOpen ?? false { scheduleNext(after: sequence, of: client, request.thinkTime) }
        if let patience = request.patience {
            queue.schedule(.clientLeaves(number: number), at: now.advanced(by: patience))
        }
        let wakes = wakes
        let step = exchange.begin { wakes.add(number, $0) }
        let isAlone = !takeWakes()
        noteAdmission(step, number, isAlone: isAlone)
        perform(step, number)
    }

    /// Tells the check of the queue what became of a request that came.
    ///
    /// - Parameter isAlone: whether nobody else was decided about with it.
    private func noteAdmission(_ step: NextStep, _ number: Int, isAlone: Bool) {
        guard flowControl != nil, let trafficClass = runs[number]?.request.trafficClass else { return }
        let priority = configuration.priorities[trafficClass.objective] ?? 0
        let flow = trafficClass.fairnessID
        let most = Double(runs[number]?.request.prompt.count ?? 0)
        let tokens = (flowControl?.readsUncachedTokens ?? false) ? 0...most : most...most
        switch step {
        case .wait: queueCheck.entered(number, priority: priority, flow: flow, tokens: tokens)
        case .send:
            // Whether it went before or behind them cannot be seen.
            if !isAlone { queueCheck.losesCount(priority: priority, flow: flow) }
            find(queueCheck.passed(number, priority: priority, flow: flow, tokens: tokens))
        case .reply: break
        }
    }

    /// The endpoints that the requests of a class may go to.
    private func subset(of trafficClass: TrafficClass?) -> EndpointSubset? {
        guard let only = trafficClass?.onlyEndpoint else { return nil }
        let address = endpoints[only].description.address
        return EndpointSubset(["\(address.host):\(address.port)"])
    }

    private func scheduleNext(after sequence: Int, of client: Int, _ gap: Duration) {
        guard sequence + 1 < configuration.workload.requestCount(of: client) else { return }
        queue.schedule(.clientSends(client: client, sequence: sequence + 1), at: now.advanced(by: gap))
    }

    /// The client goes away, if its request has not ended.
    func leave(_ number: Int) {
        guard let run = runs[number] else { return }
        note(2, number)
        queueCheck.left(number)
        queueCheck.ends(number, cost: nil)
        closeAttempt(number) { attempt in
            endpoints[attempt.endpoint].abandon(attempt.submission.id, at: now)
        }
        run.exchange.finish(.clientDisconnected)
        end(number, .clientLeft)
    }

    /// Lets a server work, and takes what it sends to the clients.
    func advance(_ index: Int) {
        for event in endpoints[index].advance(to: now) {
            guard let number = endpoints[index].open[event.id] else { continue }
            switch event.kind {
            case .token(let token, _, _):
                relay(token, number)
            case .finished(let usage, _):
                endpoints[index].noteFinished(event.id)
                relayEnd(usage, number)
            }
        }
    }

    /// A connection broke with a request on it.
    func lose(_ number: Int) {
        guard let run = runs[number], let attempt = run.attempt else { return }
        closeAttempt(number) { _ in }
        if run.isRelaying {
            queueCheck.ends(number, cost: nil)
            run.exchange.finish(.resetMidResponse)
            end(number, .brokenOff)
        } else {
            let isReused = attempt.submission.isOnReusedConnection
            perform(run.exchange.attemptFailed(.reset(onReusedConnection: isReused)), number)
        }
    }

    // MARK: Attempts

    func perform(_ first: NextStep, _ number: Int) {
        var step = first
        while true {
            switch step {
            case .send(let routing):
                guard let next = attempt(routing, number) else { return }
                step = next
            case .reply(let reply):
                end(number, .refused(status: reply.status))
                return
            case .wait:
                return
            }
        }
    }

    /// Sends a request to an endpoint.
    ///
    /// - Returns: what comes next when the endpoint does not take it; `nil` when it does, or when the request ended.
    private func attempt(_ routing: RoutingReply, _ number: Int) -> NextStep? {
        guard let run = runs[number] else { return nil }
        guard let index = endpoints.firstIndex(where: { $0.description.address == routing.endpoint.address }) else {
            preconditionFailure("the gateway chose \(routing.endpoint.id), which the simulation never listed")
        }
        note(3, number, index)
        if let only = run.request.trafficClass?.onlyEndpoint, only != index {
            find("request \(number) may go to engine-\(only) only, and went to engine-\(index)")
        }
        runs[number]?.record.attempts.append(RequestRecord.Attempt(endpoint: index, startedAt: now))
        let request = SimulatedRequest(prompt: run.request.prompt, output: .exactly(run.request.outputTokens))
        do {
            guard let submission = try endpoints[index].submit(request, number: number, at: now) else {
                return run.exchange.attemptFailed(.connect("connection refused"))
            }
            let life = EndpointLife(routing.endpoint)
            runs[number]?.attempt = RequestRun.Attempt(endpoint: index, life: life, submission: submission)
            runs[number]?.record.markAccepted()
            check.opened(on: routing.endpoint)
            // Engines send the head of a stream as soon as they have taken the request in. A 200 is never retried.
            _ = run.exchange.responseHeadReceived(status: 200, isEventStream: true)
            return nil
        } catch {
            return answer(error, run.exchange, number)
        }
    }

    /// A server refuses a request: 503 when it is full, 400 when the request cannot be served.
    private func answer(_ rejection: SimulatedRejection, _ exchange: RequestExchange, _ number: Int) -> NextStep? {
        let isFull = if case .queueFull = rejection { true } else { false }
        let status = isFull ? 503 : 400
        if let next = exchange.responseHeadReceived(status: status, isEventStream: false) { return next }
        queueCheck.ends(number, cost: nil)
        exchange.responseStarted()
        exchange.responseBodyReceived(Array(#"{"error":{"message":"\#(rejection)"}}"#.utf8).span.bytes)
        exchange.finish(.completed)
        end(number, .refused(status: status))
        return nil
    }

    func closeAttempt(_ number: Int, _ release: (RequestRun.Attempt) -> Void) {
        guard let attempt = runs[number]?.attempt else { return }
        runs[number]?.attempt = nil
        check.closed(on: attempt.life)
        release(attempt)
    }

    // MARK: The way down

    private func relay(_ token: SimulatedToken, _ number: Int) {
        guard let run = runs[number] else { return }
        if !run.isRelaying {
            note(4, number)
            runs[number]?.isRelaying = true
            runs[number]?.record.firstTokenAt = now
            run.exchange.responseStarted()
        }
        run.exchange.responseBodyReceived(run.stream.token(token, isFirst: !run.isRelaying).span.bytes)
    }

    private func relayEnd(_ usage: SimulatedUsage, _ number: Int) {
        guard let run = runs[number] else { return }
        closeAttempt(number) { _ in }
        let uncached = max(0, usage.promptTokens - usage.cachedTokens)
        queueCheck.ends(number, cost: Double(uncached + 2 * usage.outputTokens))
        run.exchange.responseBodyReceived(run.stream.closing(usage).span.bytes)
        if configuration.breakage == .losesRelease, number % 11 == 0 {
            lost.append(run.exchange)
        } else {
            run.exchange.finish(.completed)
        }
        runs[number]?.record.cachedTokens = usage.cachedTokens
        runs[number]?.record.promptTokens = usage.promptTokens
        runs[number]?.record.outputTokens = usage.outputTokens
        end(number, .completed)
    }

    /// The request is over; its client thinks, and sends the next.
    func end(_ number: Int, _ ending: RequestRecord.Ending) {
        guard var run = runs.removeValue(forKey: number) else {
            find("request \(number) was answered twice")
            return
        }
        queueCheck.ends(number, cost: nil)
        // Who was let go by this end was let go before the next one.
        takeWakes()
        queueCheck.ended(number)
        note(5, number, run.record.attempts.last?.endpoint ?? -1)
        run.record.endedAt = now
        run.record.ending = ending
        report.requests.append(run.record)
        if !(run.request.trafficClass?.isOpen ?? false) {
            scheduleNext(after: run.record.sequence, of: run.record.client, run.request.thinkTime)
        }
    }
}

extension RequestRecord {
    /// The server of the last attempt took the request in.
    fileprivate mutating func markAccepted() {
        attempts[attempts.count - 1].wasAccepted = true
    }
}
