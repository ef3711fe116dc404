"""Accuracy of the personal recipes on public data sets, beside what a team could pick instead."""
