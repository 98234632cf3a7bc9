/// Where a piece of configuration stands in its file.
public struct SourcePosition: Hashable, Sendable, CustomStringConvertible {
    /// The file as the user named it, or the name of another source such as `--config-text`.
    public let file: String
    /// The line, counted from 1; 0 when the source has no lines.
    public let line: Int
    /// The column in Unicode scalars, counted from 1; 0 when the source has no columns.
    public let column: Int

    /// Makes a position. Without a line it stands for the source as a whole.
    public init(file: String, line: Int = 0, column: Int = 0) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// The position of values that the program itself made, such as built-in defaults.
    public static let builtin = SourcePosition(file: "<built-in>")

    /// `file:line:column`, the form that editors make clickable; the file alone when there is no line.
    public var description: String {
        line > 0 ? "\(file):\(line):\(column)" : file
    }

    /// Whether `left` stands before `right` in the same file; files are in the order of their names.
    package static func precedes(_ left: SourcePosition, _ right: SourcePosition) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}
