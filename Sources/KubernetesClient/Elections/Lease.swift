/// A `Lease` of `coordination.k8s.io/v1`, with everything that must not be lost when it is written back.
struct Lease: KubernetesObject, Encodable, Hashable {
    static let resource = APIResource(
        group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease"
    )

    /// The parts of the metadata that a writer has to give back.
    struct Metadata: Codable, Hashable {
        struct Owner: Codable, Hashable {
            var apiVersion: String
            var kind: String
            var name: String
            var uid: String
            var controller: Bool?
            var blockOwnerDeletion: Bool?
        }

        var name: String
        var namespace: String?
        var uid: String?
        var resourceVersion: String?
        var labels: [String: String]?
        var annotations: [String: String]?
        var ownerReferences: [Owner]?
        var finalizers: [String]?
    }

    private enum CodingKeys: String, CodingKey {
        case apiVersion, kind, record = "spec", written = "metadata"
    }

    private var apiVersion: String?
    private var kind: String?
    /// The metadata as it is written back.
    var written: Metadata
    /// Who holds the lease.
    var record: LeaseRecord

    /// Makes a lease that is not there yet.
    init(_ name: ObjectName, record: LeaseRecord) {
        apiVersion = Self.resource.apiVersion
        kind = Self.resource.kind
        written = Metadata(name: name.name, namespace: name.namespace)
        self.record = record
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        apiVersion = Self.resource.apiVersion
        kind = Self.resource.kind
        written = try container.decode(Metadata.self, forKey: .written)
        record = try container.decodeIfPresent(LeaseRecord.self, forKey: .record) ?? LeaseRecord()
    }

    /// The parts of the metadata that matter here.
    var metadata: ObjectMetadata {
        ObjectMetadata(
            name: written.name, namespace: written.namespace ?? "", uid: written.uid ?? "",
            resourceVersion: written.resourceVersion ?? ""
        )
    }
}

/// The `spec` of a lease: who holds it, as everybody writes it who takes part in such elections.
struct LeaseRecord: Codable, Hashable, Sendable {
    /// Who leads; empty or `nil` after a leader gave the lease back.
    var holderIdentity: String?
    /// For how long the record holds after it was seen to change.
    var leaseDurationSeconds: Int?
    /// Since when the holder leads, by its own clock. For people to read.
    var acquireTime: String?
    /// When the holder last renewed the record, by its own clock. That it changes is what counts.
    var renewTime: String?
    /// How often the holder changed.
    var leaseTransitions: Int?
    /// Fields of coordinated elections, which are given back as they are.
    var strategy: String?
    var preferredHolder: String?

    /// Who leads; `nil` for nobody.
    var holder: String? { holderIdentity.flatMap { $0.isEmpty ? nil : $0 } }
}
