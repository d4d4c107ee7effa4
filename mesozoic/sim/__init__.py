"""Physics engines behind one interface, the batched environment and the Gymnasium environments."""
