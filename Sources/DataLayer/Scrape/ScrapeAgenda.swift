import GatewayCore

/// Which of a pool's endpoints are asked for what, and when. A plain value; ``ScrapeRun`` guards it and acts for it.
struct ScrapeAgenda {
    /// Something to ask now.
    struct Question {
        let life: EndpointLife
        /// Which of the life's pages it is about.
        let page: Int
        let request: OutboundRequest
    }

    /// The most questions that are taken at once; the others are due still, and are asked when the transport has looked
    /// at what came back meanwhile.
    private static let questionsAtOnceMax = 256

    private let configuration: ScrapeConfiguration
    private let engines: PreparedEngines
    /// The slot that is looked at first. It moves on, so that all have their turn where more is due than can be asked.
    private var firstSlot = 0
    /// By slot; `nil` where nobody is watched.
    private var targets: [Target?] = []
    /// By slot: when the target is due. Beside the targets, since it is looked through for every timer.
    private var dues: [MonotonicInstant?] = []

    init(configuration: ScrapeConfiguration) {
        self.configuration = configuration
        engines = PreparedEngines(configuration.engines)
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
                targets[slot] = Target(endpoint, configuration: configuration, engines: engines, now: now)
            }
            dues[slot] = targets[slot]?.nextDue
        }
        return left.flatMap { $0?.calls ?? [] }
    }

    /// Takes what is due at `now`, or the first of it. An endpoint that `store` knows no more is asked nothing.
    mutating func takeDue(at now: MonotonicInstant, from store: EndpointStore) -> [Question] {
        var questions: [Question] = []
        let slotCount = dues.count
        let start = firstSlot < slotCount ? firstSlot : 0
        for place in 0..<slotCount {
            let slot = (start + place) % slotCount
            if questions.count >= Self.questionsAtOnceMax {
                firstSlot = slot
                break
            }
            guard let due = dues[slot], due <= now, let life = targets[slot]?.life else { continue }
            targets[slot]?.skipIfIdle(at: now)
            dues[slot] = targets[slot]?.nextDue
            guard let due = dues[slot], due <= now else { continue }
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
    ) -> (finding: ScrapeFinding, nextDue: MonotonicInstant?)? {
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
    /// One life with its pages.
    private struct Target {
        let life: EndpointLife
        /// Each is changed in its place: a copy would copy what it keeps for its next page.
        private var pages: [any PageWatch]
        /// By page: the question under way.
        private var pending: [(any Cancellable)?]

        init(
            _ endpoint: EndpointSnapshot,
            configuration: ScrapeConfiguration,
            engines: PreparedEngines,
            now: MonotonicInstant
        ) {
            life = EndpointLife(endpoint)
            pages = [
                MetricsWatch(of: endpoint, configuration: configuration, engines: engines, now: now),
                ModelsWatch(of: endpoint, configuration: configuration, now: now),
            ]
            for page in configuration.attributePages {
                pages.append(AttributesWatch(of: endpoint, page: page, configuration: configuration, now: now))
            }
            pending = Array(repeating: nil, count: pages.count)
        }

        var nextDue: MonotonicInstant? {
            var due: MonotonicInstant?
            for index in pages.indices { due = earlier(due, pages[index].nextDue) }
            return due
        }

        var calls: [any Cancellable] { pending.compactMap(\.self) }

        mutating func skipIfIdle(at now: MonotonicInstant) {
            for index in pages.indices { pages[index].skipIfIdle(at: now) }
        }

        mutating func takeDue(at now: MonotonicInstant, endpoint: EndpointSnapshot, _ questions: inout [Question]) {
            for index in pages.indices {
                guard let due = pages[index].nextDue, due <= now else { continue }
                pages[index].ask(endpoint, at: now)
                questions.append(Question(life: life, page: index, request: pages[index].request))
            }
        }

        /// The answer may have been faster than the call that asked for it returned.
        mutating func note(_ call: any Cancellable, of page: Int) {
            if pages[page].nextDue == nil { pending[page] = call }
        }

        mutating func take(
            _ result: Result<OutboundResponse, OutboundFailure>,
            to page: Int,
            at now: MonotonicInstant
        ) -> ScrapeFinding? {
            pending[page] = nil
            return pages[page].answered(result, at: now)
        }
    }
}

private func earlier(_ one: MonotonicInstant?, _ other: MonotonicInstant?) -> MonotonicInstant? {
    guard let one else { return other }
    return other.map { min(one, $0) } ?? one
}
