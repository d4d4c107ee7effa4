"""One training on several machines: the first one leads it, the others follow its orders."""
