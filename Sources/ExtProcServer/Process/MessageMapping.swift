import ExtProcProto
import GatewayCore
import NIOCore
import RequestControl

/// The request's headers as they came: what of a request is known before its body.
struct RequestStart {
    let method: String
    let target: String
    let authority: String
    let headers: HeaderMap
    let receivedAt: MonotonicInstant

    /// Reads them from a message.
    init(_ part: HeadersPart, in bytes: RawSpan, receivedAt: MonotonicInstant) {
        var method = ""
        var path = ""
        var authority = ""
        var places: [HeaderMap.Place] = []
        places.reserveCapacity(part.fields.count)
        var bounds = Int.max..<Int.max
        part.fields.forEach(in: bytes) { field in
            if field.name.isEmpty || bytes.byte(at: field.name.lowerBound) == UInt8(ascii: ":") {
                if field.isNamed(":method", in: bytes) {
                    method = bytes.text(field.value)
                } else if field.isNamed(":path", in: bytes) {
                    path = bytes.text(field.value)
                } else if field.isNamed(":authority", in: bytes) {
                    authority = bytes.text(field.value)
                }
                return
            }
            // Protobuf lets a value stand in front of its name; an empty one stands nowhere.
            let valueStart = field.value.isEmpty ? Int.max : field.value.lowerBound
            let start = min(bounds.lowerBound, field.name.lowerBound, valueStart)
            let end = max(
                bounds.upperBound == Int.max ? 0 : bounds.upperBound, field.name.upperBound, field.value.upperBound)
            bounds = start..<max(start, end)
            places.append(HeaderMap.Place(name: field.name, value: field.value))
        }
        if places.isEmpty {
            headers = HeaderMap()
        } else {
            let base = bounds.lowerBound
            let moved = places.map { place in
                HeaderMap.Place(
                    name: place.name.lowerBound - base..<place.name.upperBound - base,
                    // An empty value stands nowhere in the message.
                    value: place.value.isEmpty ? 0..<0 : place.value.lowerBound - base..<place.value.upperBound - base
                )
            }
            headers = HeaderMap(section: bytes.extracting(bounds), places: moved)
        }
        self.method = method
        self.authority = authority
        self.receivedAt = receivedAt
        if path.isEmpty {
            path = headers.first("x-original-path") ?? headers.first("x-forwarded-path") ?? "/v1/completions"
        }
        target = path
    }

    /// The whole request.
    func request(body: any BodyBytes, hasUnseenBody: Bool, subset: EndpointSubset?) -> IncomingRequest {
        var request = IncomingRequest(
            method: method,
            target: target,
            authority: authority,
            headers: headers,
            body: body,
            receivedAt: receivedAt,
            hasUnseenBody: hasUnseenBody
        )
        request.endpointSubset = subset
        return request
    }
}

extension ProcessingRequest {
    /// The endpoints that the proxy allows; `nil` when it sends no such list.
    func endpointSubset(in bytes: RawSpan) -> EndpointSubset? {
        let key = "x-gateway-destination-endpoint-subset"
        switch metadata.value("envoy.lb.subset_hint", key, in: bytes) {
        case nil: return nil
        case .string(let text)?: return EndpointSubset([text])
        case .list(let items)?:
            return EndpointSubset(items.compactMap { if case .string(let text) = $0 { text } else { nil } })
        // A hint that cannot be read must not open the whole pool.
        case .null?, .number?, .boolean?, .structure?: return EndpointSubset([])
        }
    }

    /// The endpoint that the proxy says has answered: from the endpoint-picker protocol's metadata, or else from
    /// Envoy's attribute `upstream.address`.
    func servedEndpoint(in bytes: RawSpan) -> String? {
        if case .string(let address)? = metadata.value("envoy.lb", HeaderNames.destinationEndpointServed, in: bytes) {
            return address
        }
        if case .string(let address)? = attributes.value("envoy.filters.http.ext_proc", "upstream.address", in: bytes) {
            return address
        }
        return nil
    }
}

extension RoutingReply {
    /// The chosen endpoints as the protocol writes them: `ip:port`, best first.
    var destinationList: String {
        if destinations.count == 1 { return destination.authority }
        return destinations.map(\.authority).joined(separator: ",")
    }

    /// The changes to the request's header.
    func headerChanges(destination: String) -> HeaderChanges {
        var changes = HeaderChanges(requestHeaders)
        changes.settings.append(HeaderSetting(HeaderNames.destinationEndpoint, destination))
        return changes
    }

    /// The metadata that Envoy's load balancing reads.
    func metadata(destination: String, emitsScores: Bool) -> ProtobufStruct {
        var fields = [ProtobufStruct.Field(HeaderNames.destinationEndpoint, .string(destination))]
        if emitsScores, !pick.weightedSums.isEmpty {
            let scores = pick.scores.map { ProtobufStruct.Field($0.endpoint.address.authority, .number($0.score)) }
            fields.append(
                ProtobufStruct.Field("x-gateway-destination-endpoint-scores", .structure(ProtobufStruct(scores))))
        }
        return ProtobufStruct([ProtobufStruct.Field("envoy.lb", .structure(ProtobufStruct(fields)))])
    }
}

extension ProtobufStruct {
    /// Numbers as metadata, by namespace; `nil` for none. Of several with the same name the last one stands.
    init?(_ numbers: [ReportedNumber]) {
        guard !numbers.isEmpty else { return nil }
        self.init()
        for number in numbers {
            var fields = ProtobufStruct()
            if case .structure(let present)? = self[number.namespace] { fields = present }
            fields[number.name] = .number(Double(number.value))
            self[number.namespace] = .structure(fields)
        }
    }
}

extension HeaderChanges {
    /// The changes, in the order in which they apply: what a later one removes, an earlier one need not set.
    init(_ mutations: [HeaderMutation]) {
        self.init()
        for mutation in mutations { apply(mutation) }
    }

    /// Adds changes behind those that are here.
    mutating func apply(_ mutation: HeaderMutation) {
        for name in mutation.remove {
            settings.removeAll { $0.name.equalsIgnoringASCIICase(name) }
            removals.append(name)
        }
        for field in mutation.set {
            settings.removeAll { $0.name.equalsIgnoringASCIICase(field.name) }
            settings.append(HeaderSetting(field.name, field.value))
        }
        for field in mutation.add {
            settings.append(HeaderSetting(field.name, field.value, action: .appendIfExistsOrAdd))
        }
    }
}

extension ImmediateResponse {
    /// The answer that the gateway gives itself.
    init(_ reply: LocalReply) {
        self.init(
            status: UInt16(reply.status),
            headers: HeaderChanges(set: reply.headers.map { HeaderSetting($0.name, $0.value) }),
            bodyByteCount: reply.body.count,
            details: reply.status < 400 ? "martlet_answered" : "martlet_refused"
        )
    }
}
