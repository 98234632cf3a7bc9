/// Makes a text safe to be parsed for the first time, by turning its aliases into plain scalars.
///
/// A few lines of aliases to aliases can stand for more nodes than any machine can visit. The parser behind visits them
/// all where they stand in a key, because it hashes whole keys to find duplicates. So a text that may have aliases is
/// parsed twice: first with every alias replaced by a scalar of the same width, which refuses keys that are no scalars
/// or would have been aliases; then as it is, when every key is known to be a plain name. Aliases in other places share
/// the nodes of their anchor, and only ``YAMLDocumentReader`` visits them, which counts its visits.
enum AliasMarker {
    /// Stands for the `*` of an alias. A private-use character: one column wide, like the `*`, and valid in a scalar.
    private static let mark: Unicode.Scalar = "\u{E02A}"

    /// `text` with the mark for every `*` that may start an alias, including those in comments and quotes, where it
    /// does no harm; `nil` when there is none.
    static func replacingAliases(in text: String) -> String? {
        var result = String.UnicodeScalarView()
        var found = false
        var scalars = text.unicodeScalars.makeIterator()
        var next = scalars.next()
        while let scalar = next {
            next = scalars.next()
            if scalar == "*", let follower = next, isNamePart(follower) {
                found = true
                result.append(mark)
            } else {
                result.append(scalar)
            }
        }
        return found ? String(result) : nil
    }

    /// Whether `text` was an alias, or looks like a replaced one.
    static func isMark(_ text: String) -> Bool {
        text.unicodeScalars.first == mark
    }

    /// What an anchor's name is made of in the parser behind.
    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }
}
