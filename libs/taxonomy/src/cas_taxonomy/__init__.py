"""The canonical option lists of the marketplace."""
