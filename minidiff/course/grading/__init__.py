"""Assignments: what a teacher hands out, and what a student hands in, run apart from the tests and graded by them."""
