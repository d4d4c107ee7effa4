"""One animal as a Gymnasium environment, its batch as a vector environment, and the ids that Gymnasium knows."""
