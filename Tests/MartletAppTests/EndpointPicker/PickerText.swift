/// Texts of an EndpointPickerConfig.
enum PickerText {
    /// What every such document begins with.
    static let head = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"

    /// An endpoint picker that takes its endpoints from the file at `path`.
    static func discovering(_ path: String, isWatched: Bool = true) -> String {
        head + """
            plugins:
            - {name: files, type: file-discovery, parameters: {path: "\(path)", watchFile: \(isWatched)}}
            - type: queue-scorer
            dataLayer: {discovery: {pluginRef: files}}
            """
    }
}
