/// Certificates and keys in PEM, valid from 2020 until 2120. Their keys are no secret.
struct TestCertificate {
    let chain: String
    let key: String

    /// Signs the others.
    static let authority =
        """
        -----BEGIN CERTIFICATE-----
        MIIBWzCCAQGgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3Jp
        dHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
        CWF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABBsvkH+D3ds8M9XV
        rzU9QVdSDl0j3ytAw+dq5oyTR0sEccGtx9b8XGCKj3eerN2RPK2pSTekr/R9kTmK
        eL4eFqmjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1Ud
        DgQWBBTZqlHFJvj0x+QpGVan5HUQLVksdzAKBggqhkjOPQQDAgNIADBFAiAh6WvG
        7/UNaZkRR9W+6uJQzsj0Xzd70iEZkCClXufHiQIhAI1YzhepVL4BI+ViXhsBonKs
        aR6DMzsMKqXqLWSZoDGr
        -----END CERTIFICATE-----
        """

    /// Signs one of them.
    static let otherAuthority =
        """
        -----BEGIN CERTIFICATE-----
        MIIBaDCCAQ2gAwIBAgIBAjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9vdGhlciBh
        dXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
        BgNVBAMMD290aGVyIGF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
        BPwgU/ifwFc3E0L7RSpyp031Eyl9o5vbicm0EIfJCpIcop7WV4i/gMUzXGFXLUJq
        F/iFDM7dwvgWPenp5H5ZAHGjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/
        BAQDAgEGMB0GA1UdDgQWBBSjpEsnOeIIOxGJz0sMlwB7oEKSSDAKBggqhkjOPQQD
        AgNJADBGAiEAld2pr6WV8q7m1PuqqV58ddBCx24QXt1pzP9p9ENV7NECIQD3wRHi
        UXoBnnbxcP3huosDN4iF/yLGUnQuE6qPPF69KQ==
        -----END CERTIFICATE-----
        """

    /// Of `authority`, for `127.0.0.1` and `::1`.
    static let server = TestCertificate(
        chain:
            """
            -----BEGIN CERTIFICATE-----
            MIIBkDCCATagAwIBAgIBAzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3Jp
            dHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBExDzANBgNVBAMM
            BnNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDRsuKOxAxtYAo5eMoj5
            6WAIEADJPvJ3ssJ9j6Y8djKn1hYuSW8m9lgYbnMLrJhp/pgTxAhunh15dYK2wroU
            kpWjejB4MB0GA1UdDgQWBBSviIU3Y2nBbLWT+WogIRs3BWjG8zAfBgNVHSMEGDAW
            gBTZqlHFJvj0x+QpGVan5HUQLVksdzAhBgNVHREEGjAYhwR/AAABhxAAAAAAAAAA
            AAAAAAAAAAABMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0gAMEUC
            IQCP/QiKF4MmrsEB8pCgzBm2bj9/WUYgMQM3SwA2Dx55SAIgRmhTXk+d2C2viXkh
            uTcOCC24ETmev769ZKGhttI4UGM=
            -----END CERTIFICATE-----
            """,
        key:
            """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/OdKbcdnB8OM41gL
            XdgufRTRoTA5zqgSOEQuxCkOp/qhRANCAAQ0bLijsQMbWAKOXjKI+elgCBAAyT7y
            d7LCfY+mPHYyp9YWLklvJvZYGG5zC6yYaf6YE8QIbp4deXWCtsK6FJKV
            -----END PRIVATE KEY-----
            """
    )

    /// Of `authority`, for `api.test`.
    static let namedServer = TestCertificate(
        chain:
            """
            -----BEGIN CERTIFICATE-----
            MIIBiDCCAS6gAwIBAgIBBDAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3Jp
            dHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNVBAMM
            DG5hbWVkIHNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCJO12HTW/lx
            vCymHU7PHSBIBOydDXabmROCk5Mk6q8xFaMFmIyv7f+K6DofH1E4dD0FVUdemnea
            TpzEvh5ItxujbDBqMB0GA1UdDgQWBBRWWCl/XK1N2KGt14E6GbimpWaUhjAfBgNV
            HSMEGDAWgBTZqlHFJvj0x+QpGVan5HUQLVksdzATBgNVHREEDDAKgghhcGkudGVz
            dDATBgNVHSUEDDAKBggrBgEFBQcDATAKBggqhkjOPQQDAgNIADBFAiAp6QflNj35
            0mQsyGvGppbx9yo+aS0jOmy4SBw25P1+sgIhAKNqoRkrCzjdc5QmStMG+arZbhTh
            H3FaDv0ddzi3Ic3S
            -----END CERTIFICATE-----
            """,
        key:
            """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgF8AgWwM1m2T7uGNT
            hPmBfgSqhke/CKl2IF3Wmz+ca0+hRANCAAQiTtdh01v5cbwsph1Ozx0gSATsnQ12
            m5kTgpOTJOqvMRWjBZiMr+3/iug6Hx9ROHQ9BVVHXpp3mk6cxL4eSLcb
            -----END PRIVATE KEY-----
            """
    )

    /// Of `otherAuthority`, for `127.0.0.1`.
    static let otherServer = TestCertificate(
        chain:
            """
            -----BEGIN CERTIFICATE-----
            MIIBiTCCATCgAwIBAgIBBTAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9vdGhlciBh
            dXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTAT
            BgNVBAMMDG90aGVyIHNlcnZlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDMD
            pmesYK21wY2QPvu7lrEhJjjwg93UQlWSaVxCnmz0ffykWx7bp49O0Ix2srU4QAHZ
            zEVy+/2QmV1+qZHck0SjaDBmMB0GA1UdDgQWBBSNBas/R1YGZ2J4kk73sZu8iEJO
            ljAfBgNVHSMEGDAWgBSjpEsnOeIIOxGJz0sMlwB7oEKSSDAPBgNVHREECDAGhwR/
            AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0cAMEQCICJYYwvb
            OI7jsjfj8NOwWeZU0Xkvhubzsgs2ZlaZ1f2EAiBQCNvUTrpc3ROaDEcX8pJjCuIs
            Z+AukByZMTAKV91a6w==
            -----END CERTIFICATE-----
            """,
        key:
            """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgx79QhYgLz9M1p2kM
            YyBb3JGp85FfNTogc2rE+3WduYmhRANCAAQzA6ZnrGCttcGNkD77u5axISY48IPd
            1EJVkmlcQp5s9H38pFse26ePTtCMdrK1OEAB2cxFcvv9kJldfqmR3JNE
            -----END PRIVATE KEY-----
            """
    )

    /// Of `authority`, for a client called `client`.
    static let client = TestCertificate(
        chain:
            """
            -----BEGIN CERTIFICATE-----
            MIIBbTCCAROgAwIBAgIBBjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3Jp
            dHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBExDzANBgNVBAMM
            BmNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLqWw1CKCf47xMRAoDiZ
            vHXNtvWV+ufowiWQcL5wKy/3/zDc/oFNBESb59B1DZM5JE1xlkfL6G/ydz+AYH+u
            sXKjVzBVMB0GA1UdDgQWBBStap0VwKE62alM7wqHgEfVL9/gZjAfBgNVHSMEGDAW
            gBTZqlHFJvj0x+QpGVan5HUQLVksdzATBgNVHSUEDDAKBggrBgEFBQcDAjAKBggq
            hkjOPQQDAgNIADBFAiEA9D9EXU8fflr48HirvSdlQHhbb+J0DrqMFcZAj38ndbwC
            IDZoZ9s1IUd8SbJvF1ojc7M4KYJ5z7cjxHmkCZp3p38z
            -----END CERTIFICATE-----
            """,
        key:
            """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgex/G2CD6Of628h41
            Bt0tGqQ1UL8aFa97635dK/wWa5ehRANCAAS6lsNQign+O8TEQKA4mbx1zbb1lfrn
            6MIlkHC+cCsv9/8w3P6BTQREm+fQdQ2TOSRNcZZHy+hv8nc/gGB/rrFy
            -----END PRIVATE KEY-----
            """
    )

    /// Of `authority`, for a client called `second client`.
    static let secondClient = TestCertificate(
        chain:
            """
            -----BEGIN CERTIFICATE-----
            MIIBczCCARqgAwIBAgIBBzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlhdXRob3Jp
            dHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBgxFjAUBgNVBAMM
            DXNlY29uZCBjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQXDROrn1eb
            xkpRWJgkygq/x0ift28tlXgRDzkfbzGHvnqRTfU85shY7d3e0T3JmlUU9Wr0CczJ
            27bUxFpfNIISo1cwVTAdBgNVHQ4EFgQULizG0RvjaSDdT9EBLdYaqKRLkxYwHwYD
            VR0jBBgwFoAU2apRxSb49MfkKRlWp+R1EC1ZLHcwEwYDVR0lBAwwCgYIKwYBBQUH
            AwIwCgYIKoZIzj0EAwIDRwAwRAIgccA71q6WB+yQOQR0XSIHq7V1zKxo+cD6xPfm
            IBLld/ECICAF6+PkU7MoXr+otJFxZDuMeod71k7laiPHeooGAt5K
            -----END CERTIFICATE-----
            """,
        key:
            """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPBx1OFKIQ/6wBBdb
            VFkxnM91nNAl2OKwfxH35FroqjehRANCAAQXDROrn1ebxkpRWJgkygq/x0ift28t
            lXgRDzkfbzGHvnqRTfU85shY7d3e0T3JmlUU9Wr0CczJ27bUxFpfNIIS
            -----END PRIVATE KEY-----
            """
    )
}
