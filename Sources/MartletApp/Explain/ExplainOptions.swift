import BuiltinPlugins
package import GatewayCore

/// What `martlet explain` was told on its command line.
package struct ExplainOptions: Sendable {
    /// The forms of an answer.
    package enum Output: String, Sendable, CaseIterable {
        /// For people.
        case table
        /// For programs.
        case json
    }

    /// The request whose decision is shown; `nil` for a list of the last ones, or for ``requestPath``.
    package var id: String?
    /// The admin address of a running gateway, as a URL.
    package var admin = ""
    /// The bearer token that the admin address asks for; `nil` for that of `MARTLET_TOKEN`, if there is one.
    package var token: String?
    /// A file with the body of a request to decide about.
    package var requestPath: String?
    /// A file with an answer of `/api/state`, to decide with; `nil` to ask the running gateway.
    package var statePath: String?
    /// A file with the EndpointPickerConfig to decide by; `nil` for that of the state.
    package var configurationPath: String?
    /// The pool to decide in or to list.
    package var pool: String?
    /// The path of the request with its query.
    package var target = "/v1/chat/completions"
    /// The header fields of the request, as `NAME:VALUE`.
    package var headers: [String] = []
    /// The model to list.
    package var model: String?
    /// The endpoint to list.
    package var endpoint: String?
    /// How many decisions to list.
    package var last = 20
    /// The form of the answer.
    package var output = Output.table
    /// The plugin types that configurations may name.
    package var plugins = BuiltinCatalogue.registry()
    /// Whether plugins that may still change are allowed in ``configurationPath``.
    package var allowsExperimentalPlugins = false

    /// The defaults.
    package init() {}

    /// The header fields.
    ///
    /// - Throws: ``CommandError`` for one that is no field.
    func headerFields() throws(CommandError) -> [HeaderMutation.Field] {
        var fields: [HeaderMutation.Field] = []
        for text in headers {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, FieldValueFault(String(parts[1])) == nil else {
                throw CommandError("--header '\(text)' is not NAME:VALUE.")
            }
            fields.append(.init(name: parts[0].lowercased(), value: parts[1].trimmingWhitespace()))
        }
        return fields
    }
}
