package import GatewayCore
import RequestFormats
import Synchronization
package import Telemetry

/// Body-based routing without a transport: reads a request's body and tells the header fields by which the proxy in
/// front can choose a route.
///
/// A chain of plugins runs over what was read, in configured order; the first that refuses ends the request. Every body
/// is read once, whatever the number of plugins. Safe from any thread.
package final class BodyRouter: Sendable {
    /// A plugin with what is measured of it.
    private struct Link {
        let plugin: any BodyPlugin
        let duration: Histogram
    }

    private let chain: [Link]
    private let finder: FieldFinder
    /// The fields that the plugins set. A client's own are removed whenever no plugin sets them, so that nobody can
    /// reach a route by naming one model in the header and another, or none, in the body.
    private let ownedHeaders: [String]
    private let depthLimit: Int
    private let metrics: BodyRoutingMetrics
    private let clock: any MonotonicClock
    private let mapping: Mutex<ModelMapping>

    /// Makes a router.
    ///
    /// - Parameters:
    ///   - plugins: the chain in its order; empty for ``PluginSpecification/defaults``.
    ///   - mapping: the base models; see ``replaceMapping(_:)``.
    ///   - maxJSONDepth: the deepest nesting of a JSON body.
    ///   - metrics: the instruments.
    ///   - clock: measures the plugins.
    /// - Throws: `ConfigurationError` for an unknown type or a bad parameter, with everything that is wrong.
    package init(
        plugins: [PluginSpecification] = [],
        mapping: ModelMapping = ModelMapping(),
        maxJSONDepth: Int = GatewayLimits().maxJSONDepth,
        metrics: BodyRoutingMetrics,
        clock: any MonotonicClock
    ) throws(ConfigurationError) {
        var made: [any BodyPlugin] = []
        var problems: [ConfigurationProblem] = []
        let specifications = plugins.isEmpty ? PluginSpecification.defaults : plugins
        for specification in specifications {
            do throws(ConfigurationError) {
                made.append(try BodyPluginCatalogue.make(specification))
            } catch {
                problems += error.problems
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        chain = zip(made, specifications).map { plugin, specification in
            let duration = metrics.requestPluginDuration(type: specification.type, name: specification.name)
            return Link(plugin: plugin, duration: duration)
        }
        finder = FieldFinder(names: made.map(\.field), bytesMax: FieldValueFault.bytesMax)
        var owned: [String] = []
        for name in made.map(\.header) where !owned.contains(where: { $0.equalsIgnoringASCIICase(name) }) {
            owned.append(name)
        }
        ownedHeaders = owned
        depthLimit = maxJSONDepth
        self.metrics = metrics
        self.clock = clock
        self.mapping = Mutex(mapping)
    }

    /// Makes `mapping` the one that later requests see.
    package func replaceMapping(_ mapping: ModelMapping) {
        self.mapping.withLock { $0 = mapping }
    }

    /// Notes a request that arrives with `headers`: one that has a model there already counts.
    package func noteArrival(with headers: HeaderMap) {
        if headers.first(named: HeaderNames.modelName) != nil { metrics.modelInHeader.increment() }
    }

    /// The changes to a request's header by which it finds its route.
    ///
    /// JSON objects and forms are read; an empty body, one of another type, and a form that cannot be read without
    /// doubt pass with nothing but the plugins' fields removed.
    ///
    /// - Parameters:
    ///   - contentType: the request's `Content-Type`; without one, a body that starts like a JSON object is taken for
    ///     one.
    ///   - body: the whole body.
    /// - Returns: the changes, or a rejection `invalidRequest`: a body that claims to be JSON and is no valid JSON
    ///   object, or a value that must not become a header field.
    package func route(contentType: String?, body: RawSpan) -> Result<HeaderMutation, Rejection> {
        var changes = RoutingHeaders(removing: ownedHeaders)
        do throws(Rejection) {
            guard let values = try read(body, contentType: contentType) else { return .success(changes.mutation) }
            if values.isMissing("model") { metrics.modelNotInBody.increment() }
            let mapping = mapping.withLock { $0 }
            for link in chain {
                let started = clock.now
                defer { link.duration.observe(clock.now.seconds(since: started)) }
                try link.plugin.process(values, mapping: mapping, metrics: metrics, changes: &changes)
            }
        } catch {
            return .failure(error)
        }
        metrics.success.increment()
        return .success(changes.mutation)
    }

    /// What the plugins want of a body; `nil` when it passes unread.
    private func read(_ body: RawSpan, contentType: String?) throws(Rejection) -> FieldValues? {
        guard body.byteCount > 0 else { return nil }
        let mediaType = contentType.map(MediaType.init)
        if let mediaType, mediaType.isForm {
            guard let found = mediaType.boundary.flatMap({ finder.fields(ofForm: body, boundary: $0) }) else {
                metrics.modelNotParsed.increment()
                return nil
            }
            return FieldValues(names: finder.names, values: found)
        }
        guard mediaType?.isJSON ?? body.startsLikeObject else { return nil }
        do throws(FormatError) {
            return FieldValues(names: finder.names, values: try finder.fields(ofJSON: body, depthLimit: depthLimit))
        } catch {
            metrics.modelNotParsed.increment()
            throw Rejection(.invalidRequest, error.description, parameter: error.parameter)
        }
    }
}

/// The texts of the fields that the plugins read of one body.
struct FieldValues {
    private let names: [String]
    private let values: [FieldText?]

    init(names: [String], values: [FieldText?]) {
        self.names = names
        self.values = values
    }

    /// The text of a field; `nil` when the body does not have it.
    subscript(name: String) -> FieldText? {
        names.firstIndex(of: name).flatMap { values[$0] }
    }

    /// Whether a field was looked for in vain.
    func isMissing(_ name: String) -> Bool {
        names.firstIndex(of: name).map { values[$0] == nil } ?? false
    }
}

/// The changes to a header while the plugins make them: of two that set a field, the later one wins.
struct RoutingHeaders {
    private(set) var mutation: HeaderMutation

    init(removing names: [String]) {
        mutation = HeaderMutation(remove: names)
    }

    mutating func set(_ name: String, _ value: String) {
        mutation.remove.removeAll { $0.equalsIgnoringASCIICase(name) }
        mutation.set.removeAll { $0.name.equalsIgnoringASCIICase(name) }
        mutation.set.append(HeaderMutation.Field(name: name, value: value))
    }
}

extension RawSpan {
    /// Whether the first byte that is no white space opens a JSON object.
    fileprivate var startsLikeObject: Bool {
        for offset in 0..<byteCount {
            switch unsafeLoad(fromByteOffset: offset, as: UInt8.self) {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            case UInt8(ascii: "{"): return true
            default: return false
            }
        }
        return false
    }
}
