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
        writer.field("requests", statistics.requests)
        writer.field("bytes", statistics.bytes)
        writer.field("max_requests", statistics.maxRequests)
        writer.field("max_bytes", statistics.maxBytes)
        writer.field("running", statistics.running)
        writer.key("bands")
        writer.beginArray()
        for band in statistics.bands { write(band) }
        writer.endArray()
        writer.endObject()
    }

    private mutating func write(_ band: FlowStatistics.Band) {
        writer.beginObject()
        writer.field("priority", band.priority)
        writer.field("requests", band.requests)
        writer.field("bytes", band.bytes)
        writer.field("max_requests", band.maxRequests)
        writer.field("max_bytes", band.maxBytes)
        writer.flows(band.flows)
        writer.endObject()
    }
}
