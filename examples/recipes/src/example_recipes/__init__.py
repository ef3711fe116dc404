"""Two recipes for OpenPersonalize."""
