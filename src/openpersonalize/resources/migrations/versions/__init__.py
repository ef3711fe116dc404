"""One module per version; `down_revision` names the one before."""
