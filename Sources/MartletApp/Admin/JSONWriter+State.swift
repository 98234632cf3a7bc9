import FlowControl
import RequestControl
import RequestFormats

// What both the state and the live feed tell, in the same form.
extension JSONWriter {
    /// Writes the member `rewrites`.
    mutating func rewrites(_ rules: [ModelRewriteRule]) {
        key("rewrites")
        beginArray()
        for rule in rules {
            beginObject()
            field("name", rule.rewrite)
            field("models", rule.models)
            key("targets")
            beginArray()
            for target in rule.targets {
                beginObject()
                field("model", target.model)
                field("weight", target.weight)
                endObject()
            }
            endArray()
            field("sticky_header", rule.stickyHeader)
            endObject()
        }
        endArray()
    }

    /// Writes the member `flows` of a band.
    mutating func flows(_ flows: some Sequence<FlowStatistics.Flow>) {
        key("flows")
        beginArray()
        for flow in flows {
            beginObject()
            field("fairness_id", flow.fairnessID)
            field("waiting", flow.waiting)
            field("running", flow.running)
            endObject()
        }
        endArray()
    }
}
