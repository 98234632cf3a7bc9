/// A width and a height in pixels.
struct PixelSize: Hashable, Sendable {
    /// Larger sides are not believed: no picture that a model is shown has them.
    static let longestSide = 65_535
    /// What media of which nothing is known count as: 360p.
    static let standard = PixelSize(640, 360)
    /// One token for so many pixels, unless the configuration says otherwise.
    static let standardPixelsPerToken = 1024

    let width: Int
    let height: Int

    /// Makes a size; `nil` unless both sides are in 1 ... ``longestSide``.
    init?(width: Int, height: Int) {
        guard 1...Self.longestSide ~= width, 1...Self.longestSide ~= height else { return nil }
        self.init(width, height)
    }

    private init(_ width: Int, _ height: Int) {
        self.width = width
        self.height = height
    }

    /// The tokens of a picture of this size: one for `pixelsPerToken` pixels, at least 1.
    func tokens(pixelsPerToken: Int) -> Int {
        max(1, width * height / max(1, pixelsPerToken))
    }
}
