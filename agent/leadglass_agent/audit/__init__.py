"""The tamper-evident log: record, chain, file, verification."""
