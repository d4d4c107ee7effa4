"""Physics engines behind one interface and the batched environment on them."""
