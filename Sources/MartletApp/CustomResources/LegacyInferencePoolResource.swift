extension CustomResource {
    /// `InferencePool` of `inference.networking.x-k8s.io/v1alpha2`: the pool as it was before version 1. Its own
    /// definition, since the group is another one; there is no conversion by the API server.
    package static let legacyInferencePool = CustomResource(
        kind: "InferencePool",
        shortNames: ["xinfpool"],
        group: "inference.networking.x-k8s.io",
        version: "v1alpha2",
        isSuperseded: true,
        schema: #"""
            description: >-
              Model servers that a gateway sends requests to, and who picks one of them. Superseded by
              InferencePool of inference.networking.k8s.io/v1.
            type: object
            properties:
              \#(SchemaFragment.objectProperties.indented(by: 2))
              spec:
                \#(legacyInferencePoolSpec.indented(by: 4))
              status:
                \#(legacyInferencePoolStatus.indented(by: 4))
            """#
    )

    /// The schema of the specification.
    private static let legacyInferencePoolSpec = #"""
        description: The model servers, their port, and the endpoint picker.
        type: object
        required:
        - extensionRef
        - selector
        - targetPortNumber
        properties:
          selector:
            description: Labels that pods of the pool's own namespace must have to belong to it.
            type: object
            additionalProperties:
              type: string
              minLength: 0
              maxLength: 63
              pattern: \#(SchemaFragment.labelValuePattern)
          targetPortNumber:
            description: The port of the model servers.
            type: integer
            format: int32
            minimum: 1
            maximum: 65535
          extensionRef:
            description: Who picks an endpoint for each request.
            type: object
            required:
            - name
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
                description: The name of the picker.
                type: string
                minLength: 1
                maxLength: 253
              portNumber:
                description: The port of the Service; without it, 9002.
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

    /// The schema of the status. The list has a singular name, and starts with an entry that the first controller
    /// removes.
    private static let legacyInferencePoolStatus = """
        description: What the parents of the pool made of it.
        type: object
        default:
          parent:
          - parentRef:
              kind: Status
              name: default
            conditions:
            \(SchemaFragment.pendingCondition("Accepted").indented(by: 4))
        properties:
          parent:
            description: >-
              One entry for each Gateway that refers to the pool. The entry of kind Status and name default says that
              there is none yet: whoever writes the first entry removes it.
            type: array
            maxItems: 32
            x-kubernetes-list-type: atomic
            items:
              type: object
              required:
              - parentRef
              properties:
                parentRef:
                  description: The parent that this entry is of.
                  \(SchemaFragment.parentReference.indented(by: 10))
                conditions:
                  description: What holds of the pool there. Known types are Accepted and ResolvedRefs.
                  default:
                  \(SchemaFragment.pendingCondition("Accepted").indented(by: 10))
                  \(SchemaFragment.conditions.indented(by: 10))
        """
}
