import GatewayCore
import Scheduling

/// The second and third step of a request: what it is, which pool and model are to serve it, and what its plugins
/// share.
struct RequestResolution {
    let identity: RequestIdentity
    let route: RouteSelection
    let rewrite: ModelRewrite
    let context: SchedulingContext

    /// Reads the request and finds its pool.
    ///
    /// - Throws: ``Rejection`` of ``RequestIdentity``, ``RouteSelection`` and ``ModelRewrite``.
    init(
        _ request: IncomingRequest,
        state: GatewayState,
        routes: RouteTableKey,
        isBehindProxy: Bool,
        controller: RequestController,
        random: inout RandomSource
    ) throws(Rejection) {
        identity = try RequestIdentity(
            request,
            parsers: state.parsers,
            bodyParsers: state.bodyParsers,
            limits: controller.configuration.limits,
            random: &random
        )
        route = try RouteSelection(
            request,
            model: identity.model,
            state: state,
            routes: routes,
            isBehindProxy: isBehindProxy,
            random: &random
        )
        rewrite = try ModelRewrite(
            of: identity,
            in: request,
            changedBy: route.requestHeaders,
            by: state.rewrites(of: route.pool.id),
            random: &random
        )
        context = SchedulingContext(
            request: identity.inferenceRequest(
                request,
                changedBy: route.requestHeaders,
                target: rewrite.target,
                objectives: state.objectives(of: route.pool.id),
                agent: route.pool.scheduler.agent(in: request.headers)
            ),
            now: controller.now(),
            scratch: RequestScratch(slotCount: route.pool.scheduler.slotCount),
            random: random
        )
    }
}
