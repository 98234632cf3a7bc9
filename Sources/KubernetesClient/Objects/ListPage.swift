/// Which part of a list is asked for.
package struct ListPageRequest: Hashable, Sendable {
    /// At most how many objects a page has; the server may send fewer. At least 1.
    package var limit: Int
    /// Where the page before this one ended; `nil` for the first page.
    package var continuation: String?

    /// Makes a request for the first page, or for the one after `continuation`.
    package init(limit: Int = 500, continuation: String? = nil) {
        self.limit = max(1, limit)
        self.continuation = continuation
    }
}

/// A part of a list.
package struct ListPage<Object: KubernetesObject>: Sendable {
    /// The objects that could be read, in the server's order.
    package var objects: [Object]
    /// Those that could not.
    package var malformed: [MalformedObject]
    /// The version of the whole list, from which a watch goes on. It is the same for all pages of one list.
    package var resourceVersion: String
    /// What to ask the next page with; `nil` after the last one.
    package var continuation: String?

    /// Makes a page.
    package init(
        objects: [Object] = [],
        malformed: [MalformedObject] = [],
        resourceVersion: String,
        continuation: String? = nil
    ) {
        self.objects = objects
        self.malformed = malformed
        self.resourceVersion = resourceVersion
        self.continuation = continuation
    }
}

/// An object of which only the metadata matters: the answer to a write, or a check that something is there.
package struct PartialObject: KubernetesObject, Hashable {
    /// The object's metadata.
    package let metadata: ObjectMetadata

    /// Makes an object of metadata alone.
    package init(metadata: ObjectMetadata) {
        self.metadata = metadata
    }
}
