"""An adapter of somebody else that fails while it is imported."""

kind = 1 // 0
