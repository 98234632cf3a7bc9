extension FlowEngine {
    /// A flow that is forgotten: nothing is to be told of it any more.
    package struct ForgottenFlow: Hashable, Sendable {
        /// Its fairness id.
        package let fairnessID: String
        /// Its priority.
        package let priority: Int
    }
}
