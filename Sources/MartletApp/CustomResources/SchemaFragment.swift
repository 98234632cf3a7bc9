/// Pieces of YAML that several definitions share, written at the left margin.
enum SchemaFragment {
    /// What may stand where an API group is named; empty is the core group.
    static let groupPattern = #"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#
    /// What may stand where a kind is named.
    static let kindPattern = #"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"#
    /// What may stand where a namespace is named.
    static let namespacePattern = #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"#
    /// The value of a label; the key of a map is beyond the reach of a schema.
    static let labelValuePattern = #"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"#
    /// The name of a controller, `DOMAIN/PATH`.
    static let controllerPattern =
        #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"#
    /// The type of a condition, with or without a domain in front.
    private static let conditionTypePattern =
        #"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"#
        + #"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"#

    /// The properties that every object has.
    static let objectProperties = """
        apiVersion:
          description: The group and version of the API that this object is written in.
          type: string
        kind:
          description: The kind of this object.
          type: string
        metadata:
          type: object
        """

    /// The value of a list of conditions that nobody has written yet.
    static func pendingCondition(_ type: String) -> String {
        """
        - type: \(type)
          status: Unknown
          reason: Pending
          message: Waiting for controller
          lastTransitionTime: "1970-01-01T00:00:00Z"
        """
    }

    /// The schema of a list of `metav1.Condition`.
    static let conditions = #"""
        type: array
        maxItems: 8
        x-kubernetes-list-type: map
        x-kubernetes-list-map-keys:
        - type
        items:
          type: object
          required:
          - lastTransitionTime
          - message
          - reason
          - status
          - type
          properties:
            type:
              description: What the condition is about, such as Accepted.
              type: string
              maxLength: 316
              pattern: \#(conditionTypePattern)
            status:
              description: Whether it holds.
              type: string
              enum:
              - "True"
              - "False"
              - Unknown
            reason:
              description: Why, as one word for programs.
              type: string
              minLength: 1
              maxLength: 1024
              pattern: ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
            message:
              description: Why, as a sentence for people. May be empty.
              type: string
              maxLength: 32768
            observedGeneration:
              description: >-
                The metadata.generation that the condition was made from. A smaller number than the object's says that
                the condition is out of date.
              type: integer
              format: int64
              minimum: 0
            lastTransitionTime:
              description: When the status last changed from one value to another.
              type: string
              format: date-time
        """#

    /// The schema of a reference to the pool that an object belongs to.
    ///
    /// - Parameter group: the group when the reference names none.
    static func poolReference(group: String) -> String {
        """
        type: object
        required:
        - name
        properties:
          group:
            description: The API group of the pool.
            type: string
            default: \(group)
            maxLength: 253
            pattern: \(groupPattern)
          kind:
            description: The kind of the pool.
            type: string
            default: InferencePool
            minLength: 1
            maxLength: 63
            pattern: \(kindPattern)
          name:
            description: The name of the pool.
            type: string
            minLength: 1
            maxLength: 253
        """
    }

    /// The schema of a reference to a parent, which is most often a Gateway.
    static let parentReference = """
        type: object
        required:
        - name
        properties:
          group:
            description: The API group of the parent.
            type: string
            default: gateway.networking.k8s.io
            maxLength: 253
            pattern: \(groupPattern)
          kind:
            description: The kind of the parent.
            type: string
            default: Gateway
            minLength: 1
            maxLength: 63
            pattern: \(kindPattern)
          name:
            description: The name of the parent.
            type: string
            minLength: 1
            maxLength: 253
          namespace:
            description: >-
              The namespace of the parent; without it, that of this object. A parent in another namespace needs a
              ReferenceGrant there.
            type: string
            minLength: 1
            maxLength: 63
            pattern: \(namespacePattern)
        """

    /// The schema of what one parent says of a pool, of version v1.
    static let parentStatus = """
        type: object
        required:
        - parentRef
        properties:
          parentRef:
            description: The parent that this entry is of.
            \(parentReference.indented(by: 4))
          controllerName:
            description: >-
              Who wrote this entry, as DOMAIN/PATH; for a Gateway the controllerName of its GatewayClass. Who writes an
              entry removes it when the parent no longer refers to the pool.
            type: string
            minLength: 1
            maxLength: 253
            pattern: \(controllerPattern)
          conditions:
            description: What holds of the pool there. Known types are Accepted, ResolvedRefs and Exported.
            \(conditions.indented(by: 4))
        """
}

extension String {
    /// The same lines, all but the first moved to the right: for a piece that is put behind an indentation.
    func indented(by spaces: Int) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(
            separator: "\n" + String(repeating: " ", count: spaces))
    }
}
