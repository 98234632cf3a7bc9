import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct MetricsDataSourceTests {
    @Test func hasTheDocumentedDefaults() throws {
        let settings = try make(MetricsDataSource.self).settings
        #expect(settings == PageSourceSettings())
        #expect(settings.scheme == .http && settings.path == "/metrics" && settings.port == nil)
        #expect(settings.interval == nil && settings.idleInterval == nil)
    }

    @Test func readsEverything() throws {
        let settings = try make(
            MetricsDataSource.self,
            [
                "scheme": "https", "path": "/m", "port": 9400, "interval": "250ms", "idleInterval": "750ms",
            ]
        ).settings
        #expect(
            settings
                == PageSourceSettings(
                    scheme: .https, path: "/m", port: 9400, interval: .milliseconds(250),
                    idleInterval: .milliseconds(750)
                )
        )
    }

    @Test func whatSaysHowCertificatesAreVerifiedHasNoEffect() throws {
        let parameters: ConfigurationValue = [
            "insecureSkipVerify": false, "caCertPath": "/ca.pem", "clientCertPath": "/c.pem", "clientKeyPath": "/k.pem",
        ]
        #expect(try warnings(MetricsDataSource.self, parameters).count == 4)
        #expect(try warnings(ModelsDataSource.self, parameters).count == 4)
        #expect(try warnings(DCGMDataSource.self, ["insecureSkipVerify": true]).count == 1)
    }

    @Test func theIntervalHasAFloor() throws {
        #expect(try make(MetricsDataSource.self, ["interval": "1ms"]).settings.interval == .milliseconds(50))
        #expect(try make(MetricsDataSource.self, ["interval": ""]).settings.interval == nil)
        #expect(try make(MetricsDataSource.self, ["interval": "0s"]).settings.interval == nil)
    }

    @Test(
        arguments: [
            (["scheme": "ftp"], "\"ftp\" is not one of http, https"),
            (["path": "metrics"], "'metrics' does not start with '/'"),
            (["port": 0], "0 is not in 1 to 65535"),
            (["interval": "soon"], "found \"soon\""),
            (["interval": "-1s"], "-1s"),
            (["insecureSkipVerfy": true], "did you mean \"insecureSkipVerify\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(MetricsDataSource.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}

@Suite struct OtherPageSourceTests {
    @Test func modelListsHaveTheirOwnDefaults() throws {
        #expect(try make(ModelsDataSource.self).settings == PageSourceSettings(path: "/v1/models"))
        let settings = try make(
            ModelsDataSource.self,
            [
                "scheme": "https", "path": "/models", "interval": "5s",
            ]
        ).settings
        #expect(
            settings
                == PageSourceSettings(
                    scheme: .https, path: "/models", interval: .seconds(5)
                )
        )
        #expect(failure(ModelsDataSource.self, ["port": 9]) != nil, "they are at the endpoint's port")
    }

    @Test func theExporterHasAPortOfItsOwn() throws {
        let settings = try make(DCGMDataSource.self).settings
        #expect(settings == PageSourceSettings(path: "/metrics", port: 9400, interval: .seconds(1)))
        let own = try make(DCGMDataSource.self, ["scheme": "https", "path": "/gpu", "port": 1, "interval": "200ms"])
        #expect(
            own.settings
                == PageSourceSettings(scheme: .https, path: "/gpu", port: 1, interval: .milliseconds(200))
        )
        #expect(try warnings(DCGMDataSource.self, ["useNodeAddress": true]).count == 1)
        #expect(try warnings(DCGMDataSource.self, ["useNodeAddress": false]).isEmpty)
    }

    @Test(
        arguments: [
            (["port": 0], "0 is not in 1 to 65535"), (["path": "x"], "'x' does not start with '/'"),
            (["scheme": "ftp"], "\"ftp\" is not one of http, https"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(DCGMDataSource.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func eachSourceFeedsItsOwnExtractors() {
        let extractors: [any Plugin.Type] = [
            CoreMetricsExtractor.self, ModelsDataExtractor.self, DCGMExtractor.self, InFlightLoadProducer.self,
        ]
        let sources: [any DataSource.Type] = [
            MetricsDataSource.self, ModelsDataSource.self, DCGMDataSource.self, EndpointNotificationSource.self,
        ]
        for (position, source) in sources.enumerated() {
            #expect(extractors.map { source.feeds($0) } == extractors.indices.map { $0 == position })
        }
    }
}

@Suite struct CoreMetricsExtractorTests {
    @Test func customMetricsAreAttributesOfTheExtractorsType() throws {
        let mappings = try make(
            CoreMetricsExtractor.self,
            [
                "engineConfigs": [
                    [
                        "name": "mine", "queuedRequestsSpec": "q",
                        "customMetrics": [
                            ["attributeKey": "swapped", "metricSpec": "my_swapped{kind=\"gpu\"}"],
                            ["attributeKey": "a/b", "metricSpec": "q"],
                        ],
                    ]
                ]
            ]
        ).mappings
        let mine = try #require(mappings.mapping(named: "mine"))
        #expect(mine.customMetrics.map(\.key) == ["swapped/core-metrics-extractor", "a/b/core-metrics-extractor"])
        #expect(mine.customMetrics.map(\.metric.description) == ["my_swapped{kind=\"gpu\"}", "q"])
    }

    @Test(
        arguments: [
            (["metricSpec": "x"], "required field \"attributeKey\" is missing"),
            (["attributeKey": "x"], "required field \"metricSpec\" is missing"),
            (["attributeKey": "x", "metricSpec": "x{"], "expected a label name at byte 2"),
            (["attributeKey": "first", "metricSpec": "x"], "'first' is the key of an earlier metric of the engine"),
            (
                ["attributeKey": "WaitingQueueSize", "metricSpec": "x"],
                "'WaitingQueueSize' is the name of a metric that is always read"
            ),
        ] as [(ConfigurationValue, String)])
    func refusesBadCustomMetrics(metric: ConfigurationValue, message: String) {
        let first: ConfigurationValue = ["attributeKey": "first", "metricSpec": "y"]
        let engines: ConfigurationValue = [["name": "mine", "customMetrics": [first, metric]]]
        let text = failure(CoreMetricsExtractor.self, ["engineConfigs": engines])
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    @Test func knowsTheEngines() throws {
        let mappings = try make(CoreMetricsExtractor.self).mappings
        #expect(mappings == EngineMappings())
        #expect(
            mappings.mappings.map(\.name)
                == ["vllm", "sglang", "trtllm-serve", "triton-tensorrt-llm", "triton", "llamacpp"]
        )
        #expect(mappings.mapping(labels: [:])?.name == "vllm")
        #expect(mappings.mapping(labels: ["llm-d.ai/engine-type": "sglang"])?.name == "sglang")
        #expect(mappings.mapping(labels: ["inference.networking.k8s.io/engine-type": "triton"])?.name == "triton")
        #expect(mappings.mapping(labels: ["llm-d.ai/engine-type": "unheard-of"])?.name == "vllm")
    }

    @Test func ownConfigurationsReplaceOrJoinTheBuiltInOnes() throws {
        let mappings = try make(
            CoreMetricsExtractor.self,
            [
                "engineLabelKey": "engine", "defaultEngine": "mine",
                "engineConfigs": [
                    [
                        "name": "mine", "queuedRequestsSpec": "my_queue{kind=\"waiting\"}", "runningRequestsSpec": "",
                        "cacheInfoSpec": "my_cache", "cacheBlockSizeLabelName": "size", "cacheNumBlocksLabelName": "",
                    ],
                    ["name": "vllm", "kvUsageSpec": "vllm:gpu_cache_usage_perc"],
                ],
            ]
        ).mappings
        let mine = try #require(mappings.mapping(labels: [:]))
        #expect(mine.name == "mine")
        #expect(mine.queuedRequests?.description == "my_queue{kind=\"waiting\"}")
        #expect(mine.runningRequests == nil)
        #expect(mine.cacheBlockSizeLabel == "size" && mine.cacheBlockCountLabel == "num_gpu_blocks")
        let vllm = try #require(mappings.mapping(labels: ["engine": "vllm"]))
        #expect(vllm.kvCacheUsage?.name == "vllm:gpu_cache_usage_perc")
        #expect(vllm.queuedRequests == nil)
        #expect(mappings.mappings.map(\.name).first == "vllm")
        #expect(mappings.mappings.map(\.name).last == "mine")
    }

    @Test(
        arguments: [
            (["defaultEngine": "vlm"], "did you mean \"vllm\"?"),
            (["engineConfigs": [["name": "default"]]], "'default' is reserved"),
            (["engineConfigs": [["name": "a"], ["name": "a"]]], "engine 'a' is configured twice"),
            (["engineConfigs": [["queuedRequestsSpec": "x"]]], "required field \"name\" is missing"),
            (["engineConfigs": [["name": "a", "kvUsageSpec": "x{"]]], "expected a label name at byte 2"),
            (["engineConfigs": [["name": "a", "kvUsageSpecs": "x"]]], "did you mean \"kvUsageSpec\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(CoreMetricsExtractor.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
