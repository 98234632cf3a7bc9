/// What one scheduling profile found.
public struct ProfileResult: Sendable {
    /// The profile's name.
    public let profile: String
    /// The picked endpoints, best first; never empty.
    public let endpoints: [EndpointSnapshot]
    /// The candidates that were left after the filters.
    public let candidates: Candidates
    /// One weighted sum per candidate of ``candidates``, in their order; empty when the profile has no scorer.
    public let weightedSums: [Double]

    /// Makes a result.
    ///
    /// - Parameters:
    ///   - profile: the profile's name.
    ///   - endpoints: the picked endpoints, best first; must not be empty.
    ///   - candidates: what was left after the filters.
    ///   - weightedSums: none, or one per candidate.
    public init(
        profile: String,
        endpoints: [EndpointSnapshot],
        candidates: Candidates = Candidates([]),
        weightedSums: [Double] = []
    ) {
        precondition(!endpoints.isEmpty, "a profile result names at least one endpoint")
        precondition(weightedSums.isEmpty || weightedSums.count == candidates.count, "one sum per candidate")
        self.profile = profile
        self.endpoints = endpoints
        self.candidates = candidates
        self.weightedSums = weightedSums
    }

    /// The candidates that were scored, with their weighted sums, in candidate order; empty when nothing scored. Built
    /// on each call: for reports, not for the request's path.
    public var scores: [(endpoint: EndpointSnapshot, score: Double)] {
        weightedSums.indices.map { (candidates[$0], weightedSums[$0]) }
    }
}

/// How far one profile got for a request.
public enum ProfileProgress: Sendable {
    /// It did not run.
    case notRun
    /// It ran, and its filters left no candidate.
    case drained
    /// It ran and found endpoints.
    case found(ProfileResult)

    /// Whether it ran.
    public var hasRun: Bool {
        if case .notRun = self { false } else { true }
    }

    /// What it found; `nil` when it did not run or found nobody.
    public var result: ProfileResult? {
        if case .found(let result) = self { result } else { nil }
    }
}

/// How a profile handler divided a request among endpoints, for the count of such decisions.
public struct DecisionKind: Hashable, Sendable {
    /// The handler's name.
    public let pluginName: String
    /// The handler's type.
    public let pluginType: String
    /// The kind, one of a small closed set, such as `prefill-decode`.
    public let name: String

    /// Makes a kind; see the properties.
    public init(pluginName: String, pluginType: String, name: String) {
        self.pluginName = pluginName
        self.pluginType = pluginType
        self.name = name
    }
}

/// Where a request goes.
public struct SchedulingDecision: Sendable {
    /// The result of the profile that serves the request.
    public let primary: ProfileResult
    /// The results of the other profiles that ran, in the order in which they ran.
    public let secondary: [ProfileResult]
    /// The port that the request is sent to, on whichever endpoint; `nil` for each endpoint's own.
    public let destinationPort: Int?
    /// The name of the profile whose endpoint computes the prompt for the one that answers, if it is among
    /// ``secondary``.
    public let prefillProfile: String
    /// The name of the profile whose endpoints encode the media for the one that answers, if it is among
    /// ``secondary``.
    public let encodeProfile: String
    /// How the request was divided among endpoints; `nil` where that is not counted.
    public let kind: DecisionKind?

    /// The name of the profile for prefill where nobody chose another.
    public static let conventionalPrefillProfile = "prefill"
    /// The name of the profile for encode where nobody chose another.
    public static let conventionalEncodeProfile = "encode"

    /// Makes a decision; see the properties.
    public init(
        primary: ProfileResult,
        secondary: [ProfileResult] = [],
        destinationPort: Int? = nil,
        prefillProfile: String = SchedulingDecision.conventionalPrefillProfile,
        encodeProfile: String = SchedulingDecision.conventionalEncodeProfile,
        kind: DecisionKind? = nil
    ) {
        self.primary = primary
        self.secondary = secondary
        self.destinationPort = destinationPort
        self.prefillProfile = prefillProfile
        self.encodeProfile = encodeProfile
        self.kind = kind
    }

    /// The result of the profile whose endpoint computes the prompt for the one that answers; `nil` when that one
    /// computes it itself.
    public var prefill: ProfileResult? { secondary.first { $0.profile == prefillProfile } }

    /// The result of the profile whose endpoints encode the media for the one that answers; `nil` when that one encodes
    /// them itself, or there are none.
    public var encode: ProfileResult? { secondary.first { $0.profile == encodeProfile } }

    /// The same decision with `endpoint` in place of those that were picked to answer.
    package func served(by endpoint: EndpointSnapshot) -> SchedulingDecision {
        SchedulingDecision(
            primary: ProfileResult(profile: primary.profile, endpoints: [endpoint]),
            secondary: secondary,
            destinationPort: destinationPort,
            prefillProfile: prefillProfile,
            encodeProfile: encodeProfile,
            kind: kind
        )
    }

    /// The result of the profile called `profile`; `nil` when it did not run or found nobody.
    public func result(of profile: String) -> ProfileResult? {
        primary.profile == profile ? primary : secondary.first { $0.profile == profile }
    }

    /// The endpoint that the request is sent to first.
    public var endpoint: EndpointSnapshot { primary.endpoints[0] }
}
