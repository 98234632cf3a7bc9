extension MetricCatalogue {
    /// The body-based router: the families of its releases from v1.4 on, then what is left of those before.
    enum BodyRouting {
        static let info = bodyRouting(
            "info", .gauge, labels: ["commit", "build_ref"], help: "1, with the build of this process as labels."
        )
        static let success = bodyRouting(
            "success_total", .counter, help: "Requests whose body was read and whose plugins all ran."
        )
        static let fieldNotFound = bodyRouting(
            "body_field_not_found_total", .counter, labels: ["field"],
            help: "Bodies without a field that a plugin reads."
        )
        static let fieldEmpty = bodyRouting(
            "body_field_empty_total", .counter, labels: ["field"],
            help: "Bodies in which a field that a plugin reads is empty."
        )
        static let pluginDuration = bodyRouting(
            "plugin_duration_seconds", .histogram, .seconds, labels: ["extension_point", "plugin_type", "plugin_name"],
            buckets: Buckets.decisionSeconds, help: "Time of one call of a plugin, without the reading of the body."
        )
        static let modelNotInBody = bodyRouting(
            "model_not_in_body_total", .counter,
            help: "[Deprecated: Use bbr_body_field_not_found_total] Bodies that were read and have no model.",
            stability: .deprecated
        )
        static let modelNotParsed = bodyRouting(
            "model_not_parsed_total", .counter,
            help: "[Deprecated: Use bbr_success_total] Bodies that could not be read.", stability: .deprecated
        )
        static let modelInHeader = bodyRouting(
            "model_already_present_in_header_total", .counter,
            help: "[Deprecated: Use bbr_success_total] Requests that came with the header of the model.",
            stability: .deprecated
        )

        static let all = [
            info, success, fieldNotFound, fieldEmpty, pluginDuration, modelNotInBody, modelNotParsed, modelInHeader,
        ]
    }
}
