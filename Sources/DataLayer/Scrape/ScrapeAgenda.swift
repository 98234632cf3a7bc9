import GatewayCore

/// Which of a pool's endpoints are asked for what, and when. A plain value; ``ScrapeRun`` guards it and acts for it.
struct ScrapeAgenda {
    /// A page of an endpoint.
    enum Page {
        case metrics
        case models
    }

    /// Something to ask now.
    struct Question {
        let life: EndpointLife
        let page: Page
        let request: OutboundRequest
    }

    /// What an answer told.
    enum Finding {
        case metrics(MetricsWatch.Finding)
        case models(ModelsWatch.Finding)
    }

    private let configuration: ScrapeConfiguration
    /// By slot; `nil` where nobody is watched.
    private var targets: [Target?] = []
    /// By slot: when the target is due. Beside the targets, since it is looked through for every timer.
    private var dues: [MonotonicInstant?] = []

    init(configuration: ScrapeConfiguration) {
        self.configuration = configuration
    }

    /// When something is due next; `nil` while all answers are awaited.
    var nextDue: MonotonicInstant? {
        dues.reduce(nil, earlier)
    }

    /// Makes `endpoints` those that are watched; new ones are due at once.
    ///
    /// - Returns: the calls of endpoints that left, to be called off.
    mutating func watch(_ endpoints: [EndpointSnapshot], at now: MonotonicInstant) -> [any Cancellable] {
        var left = targets
        let slotCount = (endpoints.map(\.slot).max() ?? -1) + 1
        targets = Array(repeating: nil, count: slotCount)
        dues = Array(repeating: nil, count: slotCount)
        for endpoint in endpoints {
            let slot = endpoint.slot
            if slot < left.count, let present = left[slot], present.life == EndpointLife(endpoint) {
                left[slot] = nil
                targets[slot] = present
            } else {
                targets[slot] = Target(endpoint, configuration: configuration, now: now)
            }
            dues[slot] = targets[slot]?.nextDue
        }
        return left.flatMap { $0?.calls ?? [] }
    }

    /// Takes what is due at `now`. An endpoint that `store` knows no more is asked nothing.
    mutating func takeDue(at now: MonotonicInstant, from store: EndpointStore) -> [Question] {
        var questions: [Question] = []
        for slot in dues.indices {
            guard let due = dues[slot], due <= now, let life = targets[slot]?.life else { continue }
            if let endpoint = store.snapshot(of: life) {
                targets[slot]?.takeDue(at: now, endpoint: endpoint, &questions)
            } else {
                targets[slot] = nil
            }
            dues[slot] = targets[slot]?.nextDue
        }
        return questions
    }

    /// Notes what calls `question` off while it is under way.
    ///
    /// - Returns: `false` when the endpoint has left: the call is of no use.
    mutating func note(_ call: any Cancellable, of question: Question) -> Bool {
        guard isWatched(question.life) else { return false }
        targets[question.life.slot]?.note(call, of: question.page)
        return true
    }

    /// Takes the answer to `question`.
    ///
    /// - Returns: what it told, and when the endpoint is due next; `nil` when the endpoint has left.
    mutating func take(
        _ result: Result<OutboundResponse, OutboundFailure>,
        to question: Question,
        at now: MonotonicInstant
    ) -> (finding: Finding, nextDue: MonotonicInstant?)? {
        let slot = question.life.slot
        guard isWatched(question.life), let finding = targets[slot]?.take(result, to: question.page, at: now) else {
            return nil
        }
        dues[slot] = targets[slot]?.nextDue
        return (finding, dues[slot])
    }

    private func isWatched(_ life: EndpointLife) -> Bool {
        life.slot < targets.count && targets[life.slot]?.life == life
    }
}

extension ScrapeAgenda {
    /// One life with its two pages.
    private struct Target {
        let life: EndpointLife
        private var metrics: MetricsWatch
        private var models: ModelsWatch
        /// The questions under way.
        private var metricsCall: (any Cancellable)?
        private var modelsCall: (any Cancellable)?

        init(_ endpoint: EndpointSnapshot, configuration: ScrapeConfiguration, now: MonotonicInstant) {
            life = EndpointLife(endpoint)
            metrics = MetricsWatch(of: endpoint, configuration: configuration, now: now)
            models = ModelsWatch(of: endpoint, configuration: configuration, now: now)
        }

        var nextDue: MonotonicInstant? { earlier(metrics.nextDue, models.nextDue) }

        var calls: [any Cancellable] { [metricsCall, modelsCall].compactMap(\.self) }

        mutating func takeDue(at now: MonotonicInstant, endpoint: EndpointSnapshot, _ questions: inout [Question]) {
            if let due = metrics.nextDue, due <= now {
                metrics.ask(endpoint, at: now)
                questions.append(Question(life: life, page: .metrics, request: metrics.request))
            }
            if let due = models.nextDue, due <= now {
                models.ask()
                questions.append(Question(life: life, page: .models, request: models.request))
            }
        }

        /// The answer may have been faster than the call that asked for it returned.
        mutating func note(_ call: any Cancellable, of page: Page) {
            switch page {
            case .metrics: if metrics.nextDue == nil { metricsCall = call }
            case .models: if models.nextDue == nil { modelsCall = call }
            }
        }

        mutating func take(
            _ result: Result<OutboundResponse, OutboundFailure>,
            to page: Page,
            at now: MonotonicInstant
        ) -> Finding? {
            switch page {
            case .metrics:
                metricsCall = nil
                return metrics.answered(result, at: now).map(Finding.metrics)
            case .models:
                modelsCall = nil
                return models.answered(result, at: now).map(Finding.models)
            }
        }
    }
}

private func earlier(_ one: MonotonicInstant?, _ other: MonotonicInstant?) -> MonotonicInstant? {
    guard let one else { return other }
    return other.map { min(one, $0) } ?? one
}
