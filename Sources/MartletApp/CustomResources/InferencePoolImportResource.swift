extension CustomResource {
    /// `InferencePoolImport` of `inference.networking.x-k8s.io/v1alpha1`: a pool of another cluster.
    package static let inferencePoolImport = CustomResource(
        kind: "InferencePoolImport",
        shortNames: ["infpimp"],
        group: "inference.networking.x-k8s.io",
        version: "v1alpha1",
        schema: """
            description: >-
              A pool of the same name and namespace that other clusters of the set export. Controllers write
              it, so it has a status only.
            type: object
            properties:
              \(SchemaFragment.objectProperties.indented(by: 2))
              status:
                \(inferencePoolImportStatus.indented(by: 4))
            """
    )

    /// The schema of the status.
    private static let inferencePoolImportStatus = """
        description: Who looks after the import, and where the pool comes from.
        type: object
        required:
        - controllers
        properties:
          controllers:
            description: One entry for each controller that looks after the import.
            type: array
            maxItems: 8
            x-kubernetes-list-type: map
            x-kubernetes-list-map-keys:
            - name
            items:
              type: object
              required:
              - name
              properties:
                name:
                  description: >-
                    The controller as DOMAIN/PATH; for one of Gateways the controllerName of its GatewayClass.
                  type: string
                  minLength: 1
                  maxLength: 253
                  pattern: \(SchemaFragment.controllerPattern)
                exportingClusters:
                  description: The clusters that export the pool. Names are unique.
                  type: array
                  x-kubernetes-list-type: atomic
                  items:
                    type: object
                    required:
                    - name
                    properties:
                      name:
                        description: The name of the cluster.
                        type: string
                        minLength: 1
                        maxLength: 253
                parents:
                  description: One entry for each parent that refers to the import.
                  type: array
                  x-kubernetes-list-type: atomic
                  items:
                    \(SchemaFragment.parentStatus.indented(by: 12))
                conditions:
                  description: What holds of the import. The known type is Accepted.
                  \(SchemaFragment.conditions.indented(by: 10))
        """
}
