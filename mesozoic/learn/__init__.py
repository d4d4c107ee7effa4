"""Learners behind one interface, and the portable policy they write."""
