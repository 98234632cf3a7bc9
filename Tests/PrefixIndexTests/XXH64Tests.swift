import Testing

@testable import PrefixIndex

@Suite("XXH64")
struct XXH64Tests {
    /// The buffer and the seed of the reference implementation's self-test.
    static let prime32: UInt64 = 2_654_435_761

    static func selfTestBuffer(_ count: Int) -> [UInt8] {
        var generator = prime32
        return (0..<count).map { _ in
            defer { generator = generator &* 11_400_714_785_074_694_797 }
            return UInt8(generator >> 56)
        }
    }

    /// Length, hash with seed 0, hash with seed `prime32`; made with the C library. The first ones and that of 222
    /// bytes also stand in the reference's self-test.
    static let selfTest: [(count: Int, plain: UInt64, seeded: UInt64)] = [
        (0, 0xEF46_DB37_51D8_E999, 0xAC75_FDA2_929B_17EF),
        (1, 0xE934_A84A_DB05_2768, 0x5014_6076_43A9_B4C3),
        (4, 0x9136_A0DC_A574_57EE, 0xCAAB_286B_D8E9_FDB5),
        (8, 0xCDBC_F538_E71D_1348, 0xFE0C_047A_5353_CDAC),
        (14, 0x8282_DCC4_994E_35C8, 0xC3BD_6BF6_3DEB_6DF0),
        (16, 0x98C9_0B57_FDFC_B55C, 0xC900_AD2D_536B_607E),
        (31, 0x299B_39A2_90E6_D783, 0xDA67_3D5F_EB5C_1D79),
        (32, 0x18B2_1649_2BB4_4B70, 0xB3F3_3BDF_93AD_E409),
        (33, 0x55C8_DC3E_578F_5B59, 0xE92C_292F_64BC_3071),
        (63, 0xA9EF_BE0F_A0F3_F4E7, 0x6C91_1FAD_B05B_6FC2),
        (64, 0xEF55_8F8A_CAC2_B5CD, 0xB5EE_BA99_264C_C44F),
        (222, 0xB641_AE8C_B691_C174, 0x20CB_8AB7_AE10_C14A),
        (256, 0x5E3F_5BF9_4D57_4981, 0x3473_3CBD_9CC1_B0D5),
        (300, 0x27D0_E073_EC12_824F, 0x36CB_189D_9F3B_6AD6),
    ]

    @Test("equals the C library on the reference's self-test buffer", arguments: selfTest)
    func selfTestVectors(vector: (count: Int, plain: UInt64, seeded: UInt64)) {
        let bytes = Self.selfTestBuffer(vector.count)
        #expect(XXH64.hash(bytes.span.bytes) == vector.plain)
        #expect(XXH64.hash(bytes.span.bytes, seed: Self.prime32) == vector.seeded)
    }

    @Test(
        "equals the C library on text",
        arguments: [
            ("", 0xEF46_DB37_51D8_E999, 0x493D_554C_5266_25BA),
            ("a", 0xD24E_C4F1_A98C_6E5B, 0x9FE3_CE22_1F1D_D34A),
            ("abc", 0x44BC_2CF5_AD77_0999, 0x15BF_5082_DE14_0C67),
            ("message digest", 0x066E_D728_FCEE_B3BE, 0x8113_1A74_0ACB_631C),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1, 0xCE06_9361_3685_2706),
        ] as [(String, UInt64, UInt64)]
    )
    func textVectors(text: String, plain: UInt64, seeded: UInt64) {
        #expect(XXH64.hash(text.utf8.span.bytes) == plain)
        #expect(XXH64.hash(text.utf8.span.bytes, seed: 20_141_025) == seeded)
    }

    @Test("two numbers hash as their sixteen little-endian bytes")
    func pair() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let (first, second, seed) = (random.next(), random.next(), random.next())
            let bytes = [first.littleEndian, second.littleEndian]
            #expect(XXH64.hash(first, second, seed: seed) == XXH64.hash(bytes.span.bytes, seed: seed))
        }
    }

    @Test("pieces of any size hash as the whole")
    func pieces() {
        var random = SeededRandom(seed: 2)
        for round in 0..<400 {
            let bytes = random.bytes(round)
            let seed = random.next()
            var digest = XXH64.Digest(seed: seed)
            var offset = 0
            while offset < bytes.count {
                let size = Int.random(in: 0...min(90, bytes.count - offset), using: &random)
                digest.update(bytes.span.bytes.extracting(offset..<offset + size))
                offset += size
            }
            #expect(digest.byteCount == bytes.count)
            #expect(digest.finished() == XXH64.hash(bytes.span.bytes, seed: seed), "\(bytes.count) bytes in pieces")
        }
    }

    @Test("padding fills up to the next multiple and adds nothing at one")
    func padding() {
        for count in 0...70 {
            let bytes = Self.selfTestBuffer(count)
            let padded = bytes + [UInt8](repeating: 0, count: (4 - count % 4) % 4)
            var digest = XXH64.Digest()
            digest.update(bytes.span.bytes)
            digest.padWithZeros(toMultipleOf: 4)
            #expect(digest.finished() == XXH64.hash(padded.span.bytes), "\(count) bytes")
        }
    }
}
