extension Double {
    /// The number as people write it: a whole one without a point.
    var written: String {
        Int(exactly: self).map(String.init) ?? "\(self)"
    }
}
