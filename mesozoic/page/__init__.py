"""Web pages in which animals live: one file each, which works without a network."""
