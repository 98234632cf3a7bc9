import Scheduling
import Telemetry

/// The figures of plugins that are read when the metrics page is written.
package enum PluginGauges {
    /// Lets the families read from the plugins of the controller's pools, whatever they are at the time.
    package static func observe(_ controller: RequestController) {
        controller.metrics.scheduling.prefixIndexSize.observe { samples in
            for pool in controller.state.pools {
                for (name, type, blocks) in pool.scheduler.rememberedPrefixes {
                    samples.accumulate(Double(blocks), name, type)
                }
            }
        }
    }
}
