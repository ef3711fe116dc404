"""Recipes for OpenPersonalize."""
