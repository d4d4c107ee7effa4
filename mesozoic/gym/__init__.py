"""One animal as a Gymnasium environment, and the ids that Gymnasium knows it by."""
