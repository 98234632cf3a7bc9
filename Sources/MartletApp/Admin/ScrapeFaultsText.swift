import DataLayer
import RequestFormats
import Telemetry

extension JSONWriter {
    /// Writes the member `scrape_faults` of an endpoint: what was wrong with its last pages, by type of source.
    mutating func scrapeFaults(_ faults: [String: [ScrapeFault]]) {
        key("scrape_faults")
        beginArray()
        for (source, faults) in faults.sorted(by: { $0.key < $1.key }) {
            for fault in faults {
                beginObject()
                field("source", source)
                field("field", fault.field.rawValue)
                if let attribute = fault.attribute { field("attribute", attribute) }
                field("reason", fault.reason.rawValue)
                endObject()
            }
        }
        endArray()
    }
}

extension ScrapeFault {
    /// The fault of a page from `source` as text; the source is named where it is not the engine's own page.
    func text(source: String) -> String {
        let place = source == Self.engineSource || field == .modelList ? "" : " of \(source)"
        return "\(attribute.map { "attribute \($0)" } ?? field.rawValue)\(place) \(reason.rawValue)"
    }

    private static let engineSource = "metrics-data-source"
}
