"""Speed and accuracy against floors and peers, as ratios measured in one run: ``python -m bench``."""
