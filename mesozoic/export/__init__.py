"""Policies for other programs: as an ONNX graph, as arrays for NumPy, as C source; each proven by test vectors."""
