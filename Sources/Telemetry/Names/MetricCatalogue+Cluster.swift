extension MetricCatalogue {
    /// What is followed in a cluster.
    enum Cluster {
        static let synced = own(
            "kubernetes_watch_synced", .gauge, labels: ["resource"],
            help: "1 if the objects of the resource type are known and followed, 0 if they cannot be read now.",
            presence: .cluster
        )
        static let lists = own(
            "kubernetes_lists_total", .counter, labels: ["resource"],
            help: "Times all objects of the resource type were listed.",
            presence: .cluster
        )
        static let events = own(
            "kubernetes_watch_events_total", .counter, labels: ["resource"],
            help: "Objects of the resource type that came, changed or went.",
            presence: .cluster
        )
        static let malformed = own(
            "kubernetes_malformed_objects_total", .counter, labels: ["resource"],
            help: "Objects of the resource type that could not be read.",
            presence: .cluster
        )
        static let isLeader = own(
            "leader", .gauge, help: "1 if this replica was elected, 0 if it follows; only where replicas elect one.",
            presence: .cluster
        )

        static let all = [synced, lists, events, malformed, isLeader]
    }
}
