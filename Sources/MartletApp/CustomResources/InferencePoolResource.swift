extension CustomResource {
    /// `InferencePool` of `inference.networking.k8s.io/v1`: the model servers that a gateway sends requests to, and who
    /// picks one of them.
    package static let inferencePool = CustomResource(
        kind: "InferencePool",
        shortNames: ["infpool"],
        group: "inference.networking.k8s.io",
        version: "v1",
        approval: "https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/1173",
        schema: #"""
            description: >-
              Model servers that serve the same models and that a gateway sends requests to, and who picks one
              of them for each request.
            type: object
            required:
            - spec
            properties:
              \#(SchemaFragment.objectProperties.indented(by: 2))
              spec:
                \#(inferencePoolSpec.indented(by: 4))
              status:
                description: What the parents of the pool made of it.
                type: object
                properties:
                  parents:
                    description: >-
                      One entry for each Gateway that refers to the pool, however many routes do. Without a
                      Gateway the list is empty.
                    type: array
                    maxItems: 32
                    x-kubernetes-list-type: atomic
                    items:
                      \#(SchemaFragment.parentStatus.indented(by: 10))
            """#
    )

    /// The schema of the specification.
    private static let inferencePoolSpec = #"""
        description: The model servers, their ports, and the endpoint picker.
        type: object
        required:
        - selector
        - targetPorts
        properties:
          selector:
            description: Which pods of the pool's own namespace belong to it.
            type: object
            required:
            - matchLabels
            properties:
              matchLabels:
                description: Labels with the values that they must have, all of them.
                type: object
                minProperties: 1
                maxProperties: 64
                additionalProperties:
                  type: string
                  minLength: 0
                  maxLength: 63
                  pattern: \#(SchemaFragment.labelValuePattern)
          targetPorts:
            description: >-
              The ports of the model servers. Each port of each pod is an endpoint of its own, as for the ranks of a
              data-parallel server.
            type: array
            minItems: 1
            maxItems: 8
            x-kubernetes-list-type: atomic
            x-kubernetes-validations:
            - rule: self.all(p1, self.exists_one(p2, p1.number==p2.number))
              message: port number must be unique
            items:
              type: object
              required:
              - number
              properties:
                number:
                  description: The number of the port.
                  type: integer
                  format: int32
                  minimum: 1
                  maximum: 65535
          appProtocol:
            description: What the model servers speak, on all ports.
            type: string
            default: http
            enum:
            - http
            - kubernetes.io/h2c
          endpointPickerRef:
            description: Who picks an endpoint for each request. Without it the gateway picks by itself.
            type: object
            required:
            - name
            x-kubernetes-validations:
            - rule: self.kind != 'Service' || has(self.port)
              message: port is required when kind is 'Service' or unspecified (defaults to 'Service')
            properties:
              group:
                description: The API group of the picker; empty is the core group.
                type: string
                default: ""
                maxLength: 253
                pattern: \#(SchemaFragment.groupPattern)
              kind:
                description: The kind of the picker. A Service of type ExternalName is never used.
                type: string
                default: Service
                minLength: 1
                maxLength: 63
                pattern: \#(SchemaFragment.kindPattern)
              name:
                description: The name of the picker, in the pool's namespace.
                type: string
                minLength: 1
                maxLength: 253
              port:
                description: The port of the Service.
                type: object
                required:
                - number
                properties:
                  number:
                    description: The number of the port.
                    type: integer
                    format: int32
                    minimum: 1
                    maximum: 65535
              failureMode:
                description: >-
                  What becomes of requests when the picker does not answer: FailOpen sends them to any endpoint,
                  FailClose refuses them.
                type: string
                default: FailClose
                enum:
                - FailOpen
                - FailClose
        """#
}
