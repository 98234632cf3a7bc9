import FlowControl
import GatewayCore
import RequestControl
import RequestFormats

// What waits in a pool.
extension StateReport {
    /// Writes the queues of a pool: how full it is, and what waits by priority and flow.
    mutating func write(_ statistics: FlowStatistics, of pool: PoolRuntime) {
        writer.beginObject()
        if let rooms = pool.rooms {
            writer.key("saturation")
            writer.double(rooms.stages(at: now).effective)
        }
        count("requests", statistics.requests)
        count("bytes", statistics.bytes)
        count("max_requests", statistics.maxRequests)
        count("max_bytes", statistics.maxBytes)
        count("running", statistics.running)
        writer.key("bands")
        writer.beginArray()
        for band in statistics.bands { write(band) }
        writer.endArray()
        writer.endObject()
    }

    private mutating func write(_ band: FlowStatistics.Band) {
        writer.beginObject()
        count("priority", band.priority)
        count("requests", band.requests)
        count("bytes", band.bytes)
        count("max_requests", band.maxRequests)
        count("max_bytes", band.maxBytes)
        writer.key("flows")
        writer.beginArray()
        for flow in band.flows {
            writer.beginObject()
            writer.key("fairness_id")
            writer.string(flow.fairnessID)
            count("waiting", flow.waiting)
            count("running", flow.running)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    /// A number; null for no limit.
    private mutating func count(_ key: String, _ value: Int?) {
        writer.key(key)
        if let value { writer.integer(value) } else { writer.null() }
    }
}
