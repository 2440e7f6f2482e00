"""The ledger's formats, written from the specifications: RFC 6962, C2SP, docs/formats.md."""
