/// Why a header block cannot be decoded. The connection ends with COMPRESSION_ERROR: the tables are out of step.
enum HPACKError: Error, Hashable, Sendable {
    /// The block ends within a field.
    case truncated
    /// A number is too large for anything.
    case numberTooLarge
    /// No table has an entry of this index.
    case invalidIndex
    /// A string is no Huffman code.
    case invalidHuffmanCode
    /// The table's size is changed behind a field, or to more than was allowed.
    case invalidSizeUpdate
    /// The fields are several times what is allowed: decoding them for the table's sake alone is too much work.
    case listTooLarge
}

/// Decodes the header blocks of one connection (RFC 7541).
struct HeaderDecoder {
    /// Numbers above this are refused: no block is so long.
    private static let largestNumber = 1 << 28

    private var table: DynamicTable
    private let listLimit: Int

    private var offset = 0
    private var end = 0

    /// Makes a decoder.
    /// - Parameters:
    ///   - tableLimit: the greatest size of the dynamic table in bytes.
    ///   - listLimit: the greatest size of a list of fields. Beyond it fields are decoded and dropped.
    init(tableLimit: Int, listLimit: Int) {
        table = DynamicTable(limit: tableLimit)
        self.listLimit = listLimit
    }

    /// The size of the dynamic table, and its number of entries.
    var tableSize: (bytes: Int, entries: Int) { (table.size, table.count) }

    /// Decodes the block in `range`, which must lie within the bytes.
    mutating func decode(
        _ range: Range<Int>,
        of bytes: RawSpan,
        into header: inout HeaderBlock
    ) throws(HPACKError) {
        header.begin()
        offset = range.lowerBound
        end = range.upperBound
        var mayResize = true
        while offset < end {
            // A byte or two may stand for a field as large as the table, so the block's length is no limit.
            guard header.listSize <= 4 &* listLimit else { throw .listTooLarge }
            let first = bytes.byte(at: offset)
            if first & 0x80 != 0 {
                let index = try number(7, bytes)
                try indexed(index, &header)
            } else if first & 0x40 != 0 {
                let index = try number(6, bytes)
                try literal(index, bytes, &header, isKept: true)
            } else if first & 0x20 != 0 {
                let size = try number(5, bytes)
                guard mayResize, size <= table.limit else { throw .invalidSizeUpdate }
                table.resize(size)
                continue
            } else {
                let index = try number(4, bytes)
                try literal(index, bytes, &header, isKept: false)
            }
            mayResize = false
        }
    }

    // MARK: Fields

    private mutating func indexed(_ index: Int, _ header: inout HeaderBlock) throws(HPACKError) {
        guard index > 0 else { throw .invalidIndex }
        if index <= StaticTable.count {
            let entry = StaticTable.entry(index)
            guard header.admit(nameCount: entry.name.count, valueCount: entry.value.count, limit: listLimit) else {
                return
            }
            let start = header.bytes.count
            header.bytes.append(contentsOf: StaticTable.bytes[entry.name.lowerBound..<entry.value.upperBound])
            header.add(entry.kind, start: start, nameCount: entry.name.count, fault: nil)
        } else {
            let entry = try dynamicEntry(index)
            guard header.admit(nameCount: entry.nameCount, valueCount: entry.valueCount, limit: listLimit) else {
                return
            }
            let start = header.bytes.count
            header.bytes.append(entry.name.lowerBound..<entry.value.upperBound, of: table.bytes.span.bytes)
            // Only a rare entry is invalid: which of its halves it is, is looked up again.
            let fault = entry.isValid ? nil : fault(entry.kind, start, entry.nameCount, header)
            header.add(entry.kind, start: start, nameCount: entry.nameCount, fault: fault)
        }
    }

    private mutating func literal(
        _ nameIndex: Int,
        _ bytes: RawSpan,
        _ header: inout HeaderBlock,
        isKept: Bool
    ) throws(HPACKError) {
        let start = header.bytes.count
        var kind: FieldKind?
        if nameIndex == 0 {
            try string(bytes, &header)
        } else if nameIndex <= StaticTable.count {
            let entry = StaticTable.entry(nameIndex)
            header.bytes.append(contentsOf: StaticTable.bytes[entry.name])
            kind = entry.kind
        } else {
            let entry = try dynamicEntry(nameIndex)
            header.bytes.append(entry.name, of: table.bytes.span.bytes)
            kind = entry.kind
        }
        let nameCount = header.bytes.count &- start
        try string(bytes, &header)
        let valueCount = header.bytes.count &- start &- nameCount
        let found = kind ?? FieldKind(start..<start &+ nameCount, of: header.bytes.span.bytes)
        let fault = fault(found, start, nameCount, header)
        if isKept {
            let entry = DynamicTable.Entry(
                start: start, nameCount: nameCount, valueCount: valueCount, kind: found, isValid: fault == nil)
            table.insert(header.bytes.span.bytes, entry)
        }
        if header.admit(nameCount: nameCount, valueCount: valueCount, limit: listLimit) {
            header.add(found, start: start, nameCount: nameCount, fault: fault)
        } else {
            header.bytes.removeLast(nameCount &+ valueCount)
        }
    }

    /// What is wrong with the field whose bytes are the last ones.
    private func fault(_ kind: FieldKind, _ start: Int, _ nameCount: Int, _ header: HeaderBlock) -> HeaderFault? {
        let bytes = header.bytes.span.bytes
        if kind == .other, !FieldBytes.isName(start..<start &+ nameCount, of: bytes) { return .invalidName }
        return FieldBytes.isValue(start &+ nameCount..<bytes.byteCount, of: bytes) ? nil : .invalidValue
    }

    private func dynamicEntry(_ index: Int) throws(HPACKError) -> DynamicTable.Entry {
        let position = index &- StaticTable.count &- 1
        guard position < table.count else { throw .invalidIndex }
        return table.entry(position)
    }

    // MARK: Primitives

    /// The number in the low `bits` bits of the next byte and, when they are all ones, the bytes behind it.
    @inline(__always)
    private mutating func number(_ bits: UInt8, _ bytes: RawSpan) throws(HPACKError) -> Int {
        guard offset < end else { throw .truncated }
        let mask: UInt8 = 1 &<< bits &- 1
        let prefix = bytes.byte(at: offset) & mask
        offset &+= 1
        return prefix < mask ? Int(prefix) : try longNumber(Int(mask), bytes)
    }

    @inline(never)
    private mutating func longNumber(_ prefix: Int, _ bytes: RawSpan) throws(HPACKError) -> Int {
        var number = prefix
        for shift in [0, 7, 14, 21, 28] {
            guard offset < end else { throw .truncated }
            let byte = bytes.byte(at: offset)
            offset &+= 1
            number &+= Int(byte & 0x7F) &<< shift
            guard number <= Self.largestNumber else { throw .numberTooLarge }
            if byte < 0x80 { return number }
        }
        throw .numberTooLarge
    }

    /// Appends the string at the offset to the header's bytes.
    private mutating func string(_ bytes: RawSpan, _ header: inout HeaderBlock) throws(HPACKError) {
        guard offset < end else { throw .truncated }
        let isHuffman = bytes.byte(at: offset) & 0x80 != 0
        let length = try number(7, bytes)
        guard length <= end &- offset else { throw .truncated }
        let range = offset..<offset &+ length
        offset &+= length
        if !isHuffman {
            header.bytes.append(range, of: bytes)
        } else if !HuffmanCode.decode(range, of: bytes, onto: &header.bytes) {
            throw .invalidHuffmanCode
        }
    }
}
