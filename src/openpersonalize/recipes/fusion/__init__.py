"""The fused model of the personal recipes: a weighted sum of base rankers, saved, opened, and learning
online."""
