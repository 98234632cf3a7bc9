import DataLayer
import GatewayCore
import ModelServerSimulator
import RequestControl

/// One request between its client and the endpoint that has it.
struct RequestRun {
    /// The present try, while a server has the request.
    struct Attempt {
        let endpoint: Int
        let life: EndpointLife
        let submission: SimulatedEndpoint.Submission
    }

    let request: ClientRequest
    let exchange: RequestExchange
    let stream: EventStreamText
    var attempt: Attempt?
    /// Whether the client has a part of the answer: then nothing is tried again.
    var isRelaying = false
    var record: RequestRecord
}
