"""The second implementation of the formats; each module says what of them it has."""
